"""List what the page offers: styles with their thumbnails, methods, samples."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image

from impasto.api.presets import QUALITIES
from impasto.core.schemes import SAMPLE
from impasto.errors import InputError
from impasto.image import samples
from impasto.methods.registry import Entry, list_methods
from impasto.methods.spec import Ability
from impasto.models import checkpoint, zoo
from impasto.studio.limits import optimizes

_THUMBNAIL = 160  # pixels per side
_LITE = "-lite"  # ending of the names of styles of narrow networks


@dataclass(frozen=True)
class StyleChoice:
    """A style that the page offers.

    Attributes:
        name: Its name in the pipeline.
        title: A short description.
        network: The model that has learned it; empty for a style image. Styles of one network can
            be blended.
    """

    name: str
    title: str
    network: str = ""

    @property
    def learned(self) -> bool:
        """Check whether a network has learned it; else it is a style image."""
        return bool(self.network)

    @property
    def label(self) -> str:
        """Return the label on the page."""
        return f"{self.name.removeprefix(SAMPLE)} · {self.title}"


@cache
def styles() -> tuple[StyleChoice, ...]:
    """List all styles: learned ones and sample images."""
    learned = _learned("style")
    # networks with most styles come first, since those can be blended
    many = Counter(one.network for one in learned)
    learned.sort(key=lambda one: (-many[one.network], one.network, one.name))
    drawn = [StyleChoice(SAMPLE + name, title) for name, title in samples.PAINTINGS.items()]
    plain = [one for one in learned if not _is_narrow(one.name)]
    return (*plain, *drawn, *(one for one in learned if _is_narrow(one.name)))


def gallery() -> tuple[StyleChoice, ...]:
    """List the styles of the gallery, each style image once."""
    return tuple(one for one in styles() if not (one.learned and _is_narrow(one.name)))


def textures() -> tuple[StyleChoice, ...]:
    """List all textures."""
    drawn = {**samples.TEXTURES, **samples.PAINTINGS}
    return (
        *_learned("texture"),
        *(StyleChoice(SAMPLE + name, title) for name, title in drawn.items()),
    )


def image_style_methods(ability: Ability = Ability.STYLIZE) -> tuple[Entry, ...]:
    """List the methods that take any image as style."""
    able = list_methods(ability)
    return tuple(e for e in able if optimizes(e.name) or zoo.find_arbitrary(e.name))


def check_styles(names: Sequence[str], choices: Sequence[StyleChoice]) -> list[str]:
    """Return the full names of styles; a path on the server is not accepted.

    Raises:
        InputError: A style is not among ``choices``.
    """
    known = {one.name for one in choices}
    short = {name.removeprefix(SAMPLE): name for name in known}
    found = []
    for name in names:
        text = str(name)
        if text not in known and text not in short:
            raise InputError(f"no style {text[:60]!r} here: see the list of styles")
        found.append(text if text in known else short[text])
    return found


def check_method(method: str | None, ability: Ability = Ability.STYLIZE) -> str | None:
    """Check a method's name; an empty one gives None.

    Raises:
        InputError: The studio has no such method.
    """
    if not method:
        return None
    able = [entry.name for entry in image_style_methods(ability)]
    if method not in able:
        raise InputError(f"no method {str(method)[:60]!r} here: choose {', '.join(able)}")
    return method


def check_quality(name: str | None) -> str | None:
    """Check a quality's name; an empty one gives None.

    Raises:
        InputError: There is none of that name.
    """
    if name and name not in QUALITIES:
        raise InputError(f"no quality {str(name)[:60]!r}: choose {', '.join(QUALITIES)}")
    return name or None


def thumbnails(folder: Path) -> list[tuple[str, str]]:
    """Write a thumbnail of each style.

    Args:
        folder: The folder to write to.

    Returns:
        (path, caption), in the order of :func:`gallery`.
    """
    found = {one.name: one for one in zoo.shipped()}
    tiles = []
    for choice in gallery():
        bare = choice.name.removeprefix(SAMPLE)
        path = folder / f"{bare}.jpg"
        data = _thumbnail(found[choice.name]) if choice.learned else _sample_thumbnail(bare)
        path.write_bytes(data or _blank())
        tiles.append((str(path), bare))
    return tiles


def _learned(kind: str) -> list[StyleChoice]:
    return [StyleChoice(o.name, o.title, o.path.stem) for o in zoo.shipped() if o.kind == kind]


@cache
def _card_thumbnails(path: Path) -> dict[str, bytes]:
    stored = checkpoint.load(path, weights=False).card.get("thumbnails", {})
    return {name: base64.b64decode(one["jpeg"]) for name, one in stored.items()}


def _thumbnail(learned: zoo.Learned) -> bytes:
    """Return the thumbnail of a learned style from its model's card."""
    cards = _card_thumbnails(learned.path)
    return cards.get(learned.name) or cards.get(learned.name.removesuffix(_LITE), b"")


def _sample_thumbnail(bare: str) -> bytes:
    picture = samples.painting(bare, _THUMBNAIL)
    out = BytesIO()
    picture.pil().save(out, "JPEG", quality=85)
    return out.getvalue()


def _blank() -> bytes:
    out = BytesIO()
    Image.new("RGB", (1, 1), "#cccccc").save(out, "JPEG")
    return out.getvalue()


def _is_narrow(name: str) -> bool:
    """Check whether a style is that of a narrow network, which another network has, too."""
    return name.endswith(_LITE)
