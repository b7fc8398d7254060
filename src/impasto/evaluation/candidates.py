"""Parse and select the candidates of a comparison, and choose their style images."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from impasto import image
from impasto.api.inputs import read_image, resize_long_edge
from impasto.api.load import get_method
from impasto.errors import InputError
from impasto.evaluation import labels, worker
from impasto.image import Image
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import list_methods
from impasto.methods.spec import Ability
from impasto.models import checkpoint as model_file
from impasto.models import onnx_file, zoo

PHOTO, PAINTING = SENTINELS = ("photo", "painting")  # the photo and the style image as they are
ALL = "all"  # see :func:`all_candidates`

# Root mean square difference of a thumbnail and an image, in [0, 1]: measured 0.03 to 0.06 for the
# same image, at least 0.19 for sixty other images.
_MAX_DIFFERENCE = 0.1
_COMPARED_EDGE = 512  # long edge, in pixels, at which images are compared with thumbnails


@dataclass(frozen=True)
class Entrant:
    """A candidate of a comparison: a method, a learned style, a model, or a sentinel.

    Attributes:
        name: A method that stylizes, a learned style, a model file, ``photo`` or
            ``painting``.
        settings: Hyperparameters of the method to change, as text, by name.
        title: The label to display; if empty, the name with its settings.
    """

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    title: str = ""

    @property
    def label(self) -> str:
        """Return the label for tables: the title, or the name with its settings."""
        given = (f"{key}={value}" for key, value in self.settings.items())
        return self.title or ":".join([self.name, *given])

    @classmethod
    def parse(cls, text: str) -> Entrant:
        """Parse ``gatys`` or ``gatys:steps=50:levels=2``.

        Example:
            >>> Entrant.parse("gatys:steps=50").settings
            {'steps': '50'}
        """
        name, *settings = labels.SETTINGS.split(text.strip())
        pairs = [one.partition("=") for one in settings]
        return cls(name.strip(), {key.strip(): value.strip() for key, _, value in pairs})


def split(text: str) -> list[str]:
    """Split the value of ``--methods`` at the commas that separate candidates.

    A part that does not begin with a known name continues the list in the setting before it. A part
    ``SETTING=VALUE`` repeats the previous candidate with another value of that setting. Commas in
    brackets do not separate.

    Raises:
        InputError: A part is a setting that the previous candidate does not have.

    Example:
        >>> split("wct:levels=relu2_1,relu1_1,photo")
        ['wct:levels=relu2_1,relu1_1', 'photo']
        >>> split("adain:alpha=0.2,alpha=0.5,gatys")
        ['adain:alpha=0.2', 'adain:alpha=0.5', 'gatys']
    """
    found: list[str] = []
    for part in filter(str.strip, text.split(",")):
        before = Entrant.parse(found[-1]) if found else Entrant("")
        inside = bool(found) and found[-1].count("(") > found[-1].count(")")
        if inside:
            found[-1] += f",{part}"
        elif not before.settings or _is_known(part.split(":")[0].strip()):
            found.append(part.strip())
        elif "=" in part.split(":")[0]:
            found.append(_with_settings(before, part.strip()))
        else:
            found[-1] += f",{part.strip()}"
    return found


def _is_known(name: str) -> bool:
    """Check whether a name is that of a method, a learned style or a model file."""
    names = {
        *SENTINELS,
        ALL,
        *(m.name for m in list_methods()),
        *(one.name for one in zoo.shipped()),
    }
    return name in names or name.partition("#")[0].endswith((model_file.SUFFIX, onnx_file.SUFFIX))


def _with_settings(before: Entrant, part: str) -> str:
    """Return the text of a candidate with some of its settings replaced."""
    changed = Entrant.parse(f":{part}").settings
    for name in changed:
        if name not in before.settings:
            raise InputError(
                f"{part!r} follows a comma, and {before.label!r} has no {name}: write "
                f"'{before.label}:{part}' for both settings at once, or begin with a method's name"
            )
    return Entrant(before.name, {**before.settings, **changed}).label


def parse_candidates(given: Sequence[str | Entrant], paintings: Sequence[str]) -> list[Entrant]:
    """Return candidates from their text, with ``all`` expanded by :func:`all_candidates`.

    Candidates with the same name and settings are merged. Labels are made unique: a title that is
    already in use gets the name and the settings appended.

    Raises:
        InputError: There are none.
    """
    found: dict[str, Entrant] = {}
    for one in given:
        if isinstance(one, Entrant):
            several = [one]
        else:
            several = all_candidates(paintings) if one.strip() == ALL else [Entrant.parse(one)]
        for candidate in several:
            _add_unique(found, candidate)
    if not found:
        raise InputError("no methods are named: name at least one")
    return list(found.values())


def _add_unique(found: dict[str, Entrant], candidate: Entrant) -> None:
    """Add a candidate under a unique label, unless the same one is there under its label."""
    label = candidate.label
    while label in found:
        other = found[label]
        if (other.name, other.settings) == (candidate.name, candidate.settings):
            return
        label += f" ({replace(candidate, title='').label})"
    found[label] = candidate if label == candidate.label else replace(candidate, title=label)


def all_candidates(paintings: Sequence[str]) -> list[Entrant]:
    """Return all methods that take any style, and the shipped styles learned from these images.

    A method that is a network is represented by each of its shipped models.
    """
    optimizing = [
        m.name for m in list_methods(Ability.STYLIZE) if not issubclass(m.build, NetworkMethod)
    ]
    models = [one.name for one in zoo.shipped() if one.kind == "any"]
    small = _load_small(paintings)
    styles = [one for one in zoo.shipped() if one.kind == "style"]
    learned = [one.name for one in styles if _matching_images(one, small)]
    return [Entrant(name) for name in (*optimizing, *models, *learned)]


def style_images_of(
    candidates: Sequence[Entrant], paintings: Sequence[str], device_options: Mapping[str, Any]
) -> list[list[str]]:
    """Return the style images that each candidate is evaluated on.

    Args:
        candidates: The candidates.
        paintings: Paths of all style images.
        device_options: Device and precision.

    Returns:
        For a method all paths, for a learned style its own, for a sentinel those that any of the
        others has.

    Raises:
        InputError: A candidate is unknown, or was trained on none of the style images.
    """
    small = cache(lambda: _load_small(paintings))
    found: list[list[str]] = []
    for candidate in candidates:
        sentinel = candidate.name in SENTINELS
        learned = None if sentinel else worker.find_learned(candidate.name)
        if candidate.settings and (learned or sentinel):
            raise InputError(f"{candidate.name} has no settings: those are of methods")
        if learned is not None:
            if not _thumbnail(learned):
                raise InputError(f"{learned.name} has no thumbnail of its painting: leave it out")
            own = _matching_images(learned, small())
            if not own:
                raise InputError(f"the painting of {learned.name} is not among the styles: add it")
            found.append(own)
            continue
        if not sentinel:  # fail before hours of work if the method cannot be built
            get_method(
                candidate.name, Ability.STYLIZE, settings=candidate.settings, **device_options
            )
        found.append([] if sentinel else list(paintings))
    used = set().union(*found) or set(paintings)
    return [own or [one for one in paintings if one in used] for own in found]


def _load_small(paintings: Sequence[str]) -> dict[str, Image]:
    """Return style images, resized for the comparison with thumbnails, by path."""
    found = {}
    for path in paintings:
        with suppress(InputError):  # an unreadable image is reported when it is evaluated
            found[path] = resize_long_edge(read_image(path), None, _COMPARED_EDGE)
    return found


def _matching_images(learned: zoo.Learned, paintings: Mapping[str, Image]) -> list[str]:
    """Return the paths of the images that match the thumbnail of a learned style."""
    data = _thumbnail(learned)
    if not data:
        return []
    small = image.load(data)

    def same(picture: Image) -> bool:
        other = picture.resized(small.height, small.width)
        return float((other.rgb - small.rgb).square().mean().sqrt()) < _MAX_DIFFERENCE

    return [path for path, picture in paintings.items() if same(picture)]


def _thumbnail(learned: zoo.Learned) -> bytes:
    """Return the JPEG thumbnail of a learned style's image; empty if the model has none."""
    thumbnails = model_file.load(learned.path, weights=False).card.get("thumbnails", {})
    return base64.b64decode(thumbnails[learned.name]["jpeg"]) if learned.name in thumbnails else b""
