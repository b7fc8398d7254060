"""What the page offers, read from the tables: styles with their thumbnails, methods, samples."""

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
from impasto.methods.registry import Entry, methods
from impasto.methods.spec import Ability
from impasto.models import checkpoint, zoo
from impasto.studio.limits import optimizes

_THUMBNAIL = 160  # pixels a side
_LITE = "-lite"  # ends the names of styles in a narrow network


@dataclass(frozen=True)
class Offer:
    """A style that nobody has to upload.

    Attributes:
        name: What the pipeline calls it.
        title: What it is, in words.
        network: The model that knows it by heart; empty for a painting. Styles of one network
            blend.
    """

    name: str
    title: str
    network: str = ""

    @property
    def learned(self) -> bool:
        """Whether a network knows it; else it is a painting."""
        return bool(self.network)

    @property
    def label(self) -> str:
        """What the page calls it."""
        return f"{self.name.removeprefix(SAMPLE)} · {self.title}"


@cache
def styles() -> tuple[Offer, ...]:
    """Everything to paint with: what networks have learned, and paintings that are drawn here."""
    learned = _learned("style")
    many = Counter(one.network for one in learned)  # those that blend with most come first
    learned.sort(key=lambda one: (-many[one.network], one.network, one.name))
    drawn = [Offer(SAMPLE + name, title) for name, title in samples.PAINTINGS.items()]
    plain = [one for one in learned if not _twin(one.name)]
    return (*plain, *drawn, *(one for one in learned if _twin(one.name)))


def gallery() -> tuple[Offer, ...]:
    """The styles to show as pictures: each painting once."""
    return tuple(one for one in styles() if not (one.learned and _twin(one.name)))


def textures() -> tuple[Offer, ...]:
    """Everything to make more of."""
    drawn = {**samples.TEXTURES, **samples.PAINTINGS}
    return (*_learned("texture"), *(Offer(SAMPLE + name, title) for name, title in drawn.items()))


def painters(ability: Ability = Ability.STYLIZE) -> tuple[Entry, ...]:
    """The methods that can work with any picture as their style."""
    able = methods(ability)
    return tuple(e for e in able if optimizes(e.name) or zoo.for_any_style(e.name))


def offered(names: Sequence[str], offers: Sequence[Offer]) -> list[str]:
    """Names of styles, none of them a path on the server.

    Raises:
        InputError: One is not among those on offer.
    """
    known = {one.name for one in offers}
    short = {name.removeprefix(SAMPLE): name for name in known}
    found = []
    for name in names:
        text = str(name)
        if text not in known and text not in short:
            raise InputError(f"no style {text[:60]!r} here: see the list of styles")
        found.append(text if text in known else short[text])
    return found


def painter(method: str | None, ability: Ability = Ability.STYLIZE) -> str | None:
    """A method's name, or None for none.

    Raises:
        InputError: It is not on offer.
    """
    if not method:
        return None
    able = [entry.name for entry in painters(ability)]
    if method not in able:
        raise InputError(f"no method {str(method)[:60]!r} here: choose {', '.join(able)}")
    return method


def quality(name: str | None) -> str | None:
    """A quality's name, or None for none.

    Raises:
        InputError: There is none of that name.
    """
    if name and name not in QUALITIES:
        raise InputError(f"no quality {str(name)[:60]!r}: choose {', '.join(QUALITIES)}")
    return name or None


def thumbnails(folder: Path) -> list[tuple[str, str]]:
    """A small picture of each style, as a file, with its title.

    Args:
        folder: Where the files go.

    Returns:
        (path, caption), in the order of :func:`gallery`.
    """
    found = {one.name: one for one in zoo.shipped()}
    tiles = []
    for offer in gallery():
        bare = offer.name.removeprefix(SAMPLE)
        path = folder / f"{bare}.jpg"
        data = _thumbnail(found[offer.name]) if offer.learned else _drawing(bare)
        path.write_bytes(data or _blank())
        tiles.append((str(path), bare))
    return tiles


def _learned(kind: str) -> list[Offer]:
    return [Offer(o.name, o.title, o.path.stem) for o in zoo.shipped() if o.kind == kind]


@cache
def _cards(path: Path) -> dict[str, bytes]:
    told = checkpoint.load(path, weights=False).card.get("thumbnails", {})
    return {name: base64.b64decode(one["jpeg"]) for name, one in told.items()}


def _thumbnail(learned: zoo.Learned) -> bytes:
    """The painting's, out of the model's card."""
    cards = _cards(learned.path)
    return cards.get(learned.name) or cards.get(learned.name.removesuffix(_LITE), b"")


def _drawing(bare: str) -> bytes:
    picture = samples.painting(bare, _THUMBNAIL)
    out = BytesIO()
    picture.pil().save(out, "JPEG", quality=85)
    return out.getvalue()


def _blank() -> bytes:
    out = BytesIO()
    Image.new("RGB", (1, 1), "#cccccc").save(out, "JPEG")
    return out.getvalue()


def _twin(name: str) -> bool:
    """Whether a narrow network paints another network's style."""
    return name.endswith(_LITE)
