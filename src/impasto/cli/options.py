"""Define options that several commands share; most are derived from ``StylizeOptions``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from impasto.api.options import Controls, StylizeOptions
from impasto.cli import parsing
from impasto.errors import InputError

UNCHANGED = StylizeOptions()

_FIELDS = {one.name: one for kind in (StylizeOptions, Controls) for one in fields(kind)}


def option_of_field(name: str) -> Any:
    """Return the option of a field of ``StylizeOptions`` or ``Controls``."""
    metadata = dict(_FIELDS[name].metadata)
    return typer.Option(*metadata.pop("names"), **metadata)


Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Where to write; - is standard output.", show_default=False
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Let the output replace a file that is read.")
]
Styles = Annotated[
    list[str],
    typer.Option(
        "--style",
        "-s",
        metavar="PAINTING|NAME[:WEIGHT]",
        help="A style picture, a name of 'impasto styles', a .style or model file; repeatable. "
        "model:NAME, sample:NAME and file:PATH say which.",
    ),
]
Transport = Annotated[
    str | None,
    typer.Option(help="Of --method wct: monge, which changes the photo least, or wct."),
]
Settings = Annotated[list[str] | None, option_of_field("settings")]
Preset = Annotated[str, option_of_field("preset")]
Steps = Annotated[int | None, typer.Option(help="Steps at full size.", show_default="the method's")]
Seed = Annotated[int, option_of_field("seed")]
Device = Annotated[str, option_of_field("device")]
Precision = Annotated[str, option_of_field("precision")]
Runtime = Annotated[str, option_of_field("runtime")]
Bits = Annotated[
    int, typer.Option("--bits", metavar="8|16", help="Bits a channel; 16 for PNG and TIFF.")
]
KeepMetadata = Annotated[
    bool,
    typer.Option("--keep-metadata", help="Keep the photo's EXIF (date, camera, place) and DPI."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Report as lines of JSON on standard output.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the measurements as JSON; - prints them.")
]
Content = Annotated[
    str | None,
    typer.Option(help="Photographs: a folder, a list file, or shards (x-{000..009}.tar)."),
]
MaxTime = Annotated[
    str | None,
    typer.Option(metavar="90s|20m|8h", help="Stop after this time; the next run resumes."),
]
Restart = Annotated[bool, typer.Option("--restart", help="Start again instead of resuming.")]
StyleSize = Annotated[
    int | None,
    typer.Option(
        help="Long edge to resize each painting to: the size of its strokes.",
        show_default="its own, 512 at most",
    ),
]
SaveEvery = Annotated[
    int, typer.Option(metavar="N", help="Write a preview beside the output every N steps.", min=0)
]


def settings_of(pairs: list[str] | None, steps: int | None, **others: Any) -> dict[str, Any]:
    """Return the settings from ``--set``, ``--steps`` and options for single hyperparameters."""
    asked = {"steps": steps, **others}
    settings = {name: value for name, value in asked.items() if value is not None}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--set takes NAME=VALUE, not {pair!r}")
        settings[name.strip()] = value.strip()
    return settings


def with_stylize_options(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace a command's parameter ``options`` by the options of stylizing.

    The command receives their values as one :class:`~impasto.api.options.StylizeOptions`.

    Args:
        without: Fields that the command has no options for.
    """
    shared = [parameter for parameter in _parameters() if parameter.name not in without]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())
        at = [one.name for one in own].index("options")
        all_of_them = [*own[:at], *shared, *own[at + 1 :]]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            asked = {one.name: given.pop(one.name) for one in shared}
            command(**given, options=_stylize_options(**asked))

        keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in all_of_them]
        run.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in keyword}
        return run

    return decorate


def _parameters() -> list[inspect.Parameter]:
    """Return the options of stylizing as parameters of a command."""
    hints = {**get_type_hints(Controls), **get_type_hints(StylizeOptions)}
    hints |= {"memory": str | None, "settings": list[str] | None}
    names = [one.name for one in fields(StylizeOptions)]
    at = names.index("controls")
    names[at : at + 1] = [one.name for one in fields(Controls)]
    made = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None if _FIELDS[name].default is MISSING else _FIELDS[name].default,
            annotation=Annotated[hints[name], option_of_field(name)],
        )
        for name in names
    ]
    extra = {"steps": Steps, "transport": Transport}
    at = names.index("settings") + 1
    made[at:at] = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in extra.items()
    ]
    return made


def _stylize_options(
    *,
    method: str | None,
    settings: list[str] | None,
    steps: int | None,
    transport: str | None,
    memory: str | None = None,
    **others: Any,
) -> StylizeOptions:
    """Combine option values into one ``StylizeOptions``."""
    controls = {one.name: others.pop(one.name) for one in fields(Controls) if one.name in others}
    return StylizeOptions(
        method=method or (None if transport is None else "wct"),
        settings=settings_of(settings, steps, transport=transport),
        controls=Controls(**controls),
        memory=parsing.parse_memory(memory),
        **others,
    )
