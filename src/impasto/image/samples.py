"""Sample images that need no download: photos, style images and textures.

The photos and textures are files of scikit-image. According to its `skimage.data` they are CC0 or
have no known restrictions, except for "motorcycle" (Middlebury stereo benchmark, 2014), for which
it states no licence. The style images were drawn by code of this project
(``tools/sample_paintings``): each has its own palette and directions, and details at several
scales.

>>> "swirls" in PAINTINGS and "astronaut" in PHOTOS
True
"""

from __future__ import annotations

from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import InputError

if TYPE_CHECKING:
    from impasto.image import Image

__all__ = ["PAINTINGS", "PHOTOS", "TEXTURES", "load", "names", "painting", "photo", "texture"]

PHOTOS: dict[str, str] = {
    "astronaut": "A portrait: Eileen Collins in her orange suit, before a flag and a shuttle",
    "camera": "A man with a camera on a tripod, in black and white",
    "chelsea": "A ginger cat, close up",
    "coffee": "A cup of coffee and a spoon on a wooden table",
    "motorcycle": "A motorcycle in a workshop full of tools",
    "rocket": "A rocket on its launch pad under a clouded evening sky",
}
PAINTINGS: dict[str, str] = {
    "swirls": "A night sky that turns about its stars, in long thick strokes of blue and ochre",
    "wave": "A great wave as a colour woodblock print: flat blues, contours, foam",
    "mosaic": "Suns of glass tesserae in rings, in jewel colours and dark mortar",
    "pointillist": "A bay in the late sun, in dots of pure colour",
    "cubist": "Angular facets of a still life, in earth colours and teal",
    "ink": "Mountains in mist with pines and bamboo, in black ink on warm paper",
    "fjord": "A burning sky over a dark fjord, in wavering expressionist bands",
    "gold": "A tree of spirals over a meadow of small ornaments, on gold leaf",
}
TEXTURES: dict[str, str] = {
    "brick": "A brick wall, grey",
    "grass": "Grass from above, grey",
    "gravel": "Gravel, grey",
    "ihc": "Stained tissue under the microscope, brown and violet",
}

_FILES = {
    "rocket": "rocket.jpg",
    "motorcycle": "motorcycle_left.png",
}
_SMALLEST, _LARGEST = 128, 4096


def names() -> list[str]:
    """Return the names of all samples: photos, then paintings, then textures."""
    return [*PHOTOS, *PAINTINGS, *TEXTURES]


def load(name: str) -> Image:
    """Load a sample of any kind; a painting is 768 pixels wide and high.

    Args:
        name: One of `names()`, with or without the prefix ``sample:``.

    Raises:
        InputError: There is no such sample.
    """
    bare = name.removeprefix("sample:")
    if bare in PAINTINGS:
        return painting(bare)
    _check(bare, {**PHOTOS, **PAINTINGS, **TEXTURES}, "sample")
    return _bundled(bare)


def photo(name: str) -> Image:
    """Load a photo from scikit-image, at its own size (about 400 to 700 pixels per side).

    Raises:
        InputError: `name` is not in `PHOTOS`.
    """
    _check(name, PHOTOS, "sample photo")
    return _bundled(name)


def texture(name: str) -> Image:
    """Load a texture from scikit-image, 512 x 512 pixels.

    Raises:
        InputError: `name` is not in `TEXTURES`.
    """
    _check(name, TEXTURES, "sample texture")
    return _bundled(name)


def painting(name: str, size: int = 768) -> Image:
    """Load a sample painting, a square.

    Args:
        name: One of `PAINTINGS`.
        size: Pixels per side, 128 to 4096; the file has 768.

    Raises:
        InputError: `name` is not in `PAINTINGS`, or the size is out of range.
    """
    from impasto.image import load as read

    _check(name, PAINTINGS, "sample painting")
    if not _SMALLEST <= size <= _LARGEST:
        raise InputError(f"a painting has {_SMALLEST} to {_LARGEST} pixels a side, not {size}")
    path = resources.files("impasto") / "data" / "paintings" / f"{name}.jpg"
    drawn = read(path.read_bytes())
    return drawn if drawn.width == size else drawn.resized(size, size)


def _check(name: str, known: dict[str, str], what: str) -> None:
    if name not in known:
        raise InputError(f"there is no {what} {name!r}: choose one of {', '.join(known)}")


def _bundled(name: str) -> Image:
    """Read an image from the installed scikit-image, without importing it."""
    from impasto.image import load as read

    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise InputError("the sample photos come with scikit-image: pip install scikit-image")
    return read(Path(spec.origin).parent / "data" / _FILES.get(name, f"{name}.png"))
