"""Find faces in a photo, and make soft masks of people and of faces.

The segmentation network marks whatever stands in the foreground, a flower as well as a person. So
it is used only for photos with faces: one that the detector is certain of, or a doubtful one where
the network's features say that there is a person.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.image import Image, filters
from impasto.nn import blazeface, person_segmentation
from impasto.nn.blazeface import BlazeFace
from impasto.nn.person_segmentation import PersonSegmentation, Presence

__all__ = ["Face", "face_mask", "faces", "person_mask", "refined", "shrunk", "statistics"]

_CANDIDATE = 0.25  # score, from 0 to 1, of what may be a face in a view of the photo
# Scores of a face in crops of its own: one is certain; the others count beside a certain one, or
# where the log odds of a person are above _PRESENT.
_CERTAIN, _BESIDE, _DOUBTFUL = 0.7, 0.5, 0.3
_PRESENT = 1.0
_AT_MOST = 24  # candidates that are looked at closely
_SIDE = 1024  # long edge of the photo in which faces are searched
_MASK = 512  # long edge of masks before they are refined
# side of the square tiles in which small faces are searched, of the short and of the long edge
_TILE, _TILE_LEAST = 0.6, 0.125
# width, height and the part above the face's centre of the crops around a person, in faces
_CROPS = ((8.0, 11.0, 2.0), (12.0, 14.0, 3.0))
_ZOOMS = (3.0, 4.5)  # sides of the crops in which a face is confirmed, in faces
# half the width and the height of a face's ellipse, in its box, and how far it is moved up
_FACE = (0.5, 0.64, 0.06)
_SOFT = 0.16  # half the width of its soft edge, of its radius
_BATCH = 8  # crops in a pass

_N = TypeVar("_N", bound=nn.Module)

Box = tuple[int, int, int, int]  # left, top, width, height in pixels


@dataclass(frozen=True)
class Face:
    """A face, in fractions of the width and height of the photo.

    Attributes:
        score: The detector's certainty, from 0 to 1.
        x: Of its centre.
        y: Of its centre.
        width: Of its box, from ear to ear.
        height: Of its box, from the brow to the chin.
        tilt: Angle of the line through the eyes in radians, 0 if it is level.
    """

    score: float
    x: float
    y: float
    width: float
    height: float
    tilt: float


def faces(photo: Image) -> list[Face]:
    """Find the faces in a photo, those of the highest score first.

    Args:
        photo: The photo, at any size.
    """
    rgb = shrunk(photo.rgb, _SIDE)
    height, width = rgb.shape[-2:]
    candidates = _detected(rgb, _views(width, height), _CANDIDATE)
    confirmed = []
    for face in _distinct(candidates, width, height)[:_AT_MOST]:
        again = _detected(rgb, [_close(face, zoom, width, height) for zoom in _ZOOMS], _DOUBTFUL)
        confirmed += [one for one in again if _same(one, face, width, height)]
    found = _distinct(confirmed, width, height)
    if found and found[0].score >= _CERTAIN:
        return [face for face in found if face.score >= _BESIDE]
    if not found:
        return []
    with torch.inference_mode():
        odds = float(_network("presence", Presence)(statistics(Image(rgb))))
    return found if odds > _PRESENT else []


def person_mask(photo: Image, found: Sequence[Face]) -> Tensor:
    """Make a soft mask of the people whose faces are given.

    The mean of the probabilities in the whole photo and in two crops around each person.

    Args:
        photo: The photo, at any size.
        found: Their faces; at least one.

    Returns:
        (1, 1, h, w) in [0, 1], with a long edge of 512 at most; see :func:`refined`.
    """
    rgb = shrunk(photo.rgb, _MASK)
    height, width = rgb.shape[-2:]
    total = _segmented(rgb, [(0, 0, width, height)])
    for crop in _CROPS:
        total = total + _segmented(rgb, [_around(face, crop, width, height) for face in found])
    return total / (1 + len(_CROPS))


def face_mask(found: Sequence[Face], person: Tensor) -> Tensor:
    """Make a soft mask of faces, from the hairline to the chin.

    Args:
        found: The faces.
        person: The mask of their people, (1, 1, h, w).

    Returns:
        (1, 1, h, w) in [0, 1].
    """
    height, width = person.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    mask = torch.zeros_like(person)
    for face in found:
        right, down = x - face.x * width, y - face.y * height
        cos, sin = math.cos(face.tilt), math.sin(face.tilt)
        across = (right * cos + down * sin) / (_FACE[0] * face.width * width)
        along = (down * cos - right * sin) / (_FACE[1] * face.height * height) + _FACE[2]
        reach = (across.square() + along.square()).sqrt()  # 1 at the edge of an ellipse
        mask = torch.maximum(mask, ((1 + _SOFT - reach) / (2 * _SOFT)).clamp(0, 1))
    return mask * person


def refined(mask: Tensor, photo: Image) -> Tensor:
    """Align the edges of a mask with those of a photo.

    Args:
        mask: (1, 1, h, w).
        photo: The photo.

    Returns:
        (1, 1, H, W), the size of the photo.
    """
    aligned = filters.guided(mask, photo.rgb, max(2, round(max(mask.shape[-2:]) / 100)))
    return ((aligned - 0.1) / 0.8).clamp(0, 1)  # without the faint veil of either side


def _views(width: int, height: int) -> list[Box]:
    """Return the squares in which faces are searched: the photo in two sizes, and tiles."""
    long = max(width, height)
    side = max(1, round(max(_TILE * min(width, height), _TILE_LEAST * long)))
    boxes = [_square(width / 2, height / 2, factor * long) for factor in (1.0, 1.8)]
    columns, rows = (
        max(1, math.ceil((edge - side) / (0.7 * side)) + 1) for edge in (width, height)
    )
    for row in range(rows):
        for column in range(columns):
            left = round(column * max(0, width - side) / max(1, columns - 1))
            top = round(row * max(0, height - side) / max(1, rows - 1))
            boxes.append((left, top, side, side))
    return boxes


def _detected(rgb: Tensor, boxes: Sequence[Box], least: float) -> list[Face]:
    """Return the faces in crops of (1, 3, H, W) with a score of at least ``least``."""
    height, width = rgb.shape[-2:]
    network, made = _network("blazeface", BlazeFace), []
    for at in range(0, len(boxes), _BATCH):
        some = boxes[at : at + _BATCH]
        crops = torch.cat([_crop(rgb, box, blazeface.SIDE) for box in some])
        with torch.inference_mode():
            scores, faces = network(crops)
        for box, score, face in zip(some, scores, faces, strict=True):
            left, top, side, _ = box
            for one in torch.nonzero(score >= least).flatten().tolist():
                cx, cy, w, h, rx, ry, lx, ly = (face[one, :8] * side).tolist()
                made.append(
                    Face(
                        float(score[one]),
                        (cx + left) / width,
                        (cy + top) / height,
                        w / width,
                        h / height,
                        math.atan2(ly - ry, lx - rx),
                    )
                )
    return made


def _distinct(found: Sequence[Face], width: int, height: int) -> list[Face]:
    """Return the faces of the highest scores that do not overlap, in the order of their scores."""
    chosen: list[Face] = []
    for face in sorted(found, key=lambda one: -one.score):
        if not any(_distance(face, one, width, height) < 0.5 for one in chosen):
            chosen.append(face)
    return chosen


def _same(one: Face, other: Face, width: int, height: int) -> bool:
    """Check whether two detections are of one face: near each other and of about one size."""
    return _distance(one, other, width, height) < 0.5 and 0.5 < one.width / other.width < 2


def _distance(one: Face, other: Face, width: int, height: int) -> float:
    """Return the distance of two centres, in the larger of the two faces."""
    apart = math.hypot((one.x - other.x) * width, (one.y - other.y) * height)
    return apart / max(_edge(one, width, height), _edge(other, width, height))


def _edge(face: Face, width: int, height: int) -> float:
    return max(face.width * width, face.height * height)


def _close(face: Face, zoom: float, width: int, height: int) -> Box:
    return _square(face.x * width, face.y * height, zoom * _edge(face, width, height))


def _square(x: float, y: float, side: float) -> Box:
    side = max(2, round(side))
    return round(x - side / 2), round(y - side / 2), side, side


def _around(face: Face, crop: tuple[float, float, float], width: int, height: int) -> Box:
    """Return the part of a photo around a person, of the size ``crop`` in faces."""
    edge = _edge(face, width, height)
    wide, high, above = (part * edge for part in crop)
    x, y = face.x * width, face.y * height
    left, right = max(0, round(x - wide / 2)), min(width, round(x + wide / 2))
    top, bottom = max(0, round(y - above)), min(height, round(y - above + high))
    return left, top, right - left, bottom - top


def _segmented(rgb: Tensor, boxes: Sequence[Box]) -> Tensor:
    """Return the probability of a person at each pixel, (1, 1, H, W): the largest of all crops."""
    height, width = rgb.shape[-2:]
    network = _network("person-segmentation", PersonSegmentation)
    most = torch.zeros(1, 1, height, width)
    for box in boxes:
        left, top, wide, high = box
        with torch.inference_mode():
            made = network(_crop(rgb, box, person_segmentation.SIDE))
        made = F.interpolate(made, (high, wide), mode="bilinear", antialias=True)
        there = most[..., top : top + high, left : left + wide]
        there.copy_(torch.maximum(there, made))
    return most


def statistics(photo: Image) -> Tensor:
    """Compute what the presence of a person is estimated from, (1, 96)."""
    network = _network("person-segmentation", PersonSegmentation)
    box = (0, 0, photo.width, photo.height)
    with torch.inference_mode():
        return network.statistics(_crop(photo.rgb, box, person_segmentation.SIDE))


def _crop(rgb: Tensor, box: Box, side: int) -> Tensor:
    """Return a part of (1, 3, H, W), black outside of the photo, resized to (1, 3, side, side)."""
    height, width = rgb.shape[-2:]
    left, top, wide, high = box
    inner = rgb[..., max(0, top) : max(0, top + high), max(0, left) : max(0, left + wide)]
    right, bottom = left + wide - width, top + high - height
    outside = tuple(max(0, beyond) for beyond in (-left, right, -top, bottom))
    made = F.interpolate(F.pad(inner, outside), (side, side), mode="bilinear", antialias=True)
    return made.contiguous(memory_format=torch.channels_last)


def shrunk(rgb: Tensor, long_edge: int) -> Tensor:
    """Return (1, 3, H, W) with a long edge of ``long_edge`` at most."""
    factor = long_edge / max(rgb.shape[-2:])
    if factor >= 1:
        return rgb
    size = [max(1, round(side * factor)) for side in rgb.shape[-2:]]
    return F.interpolate(rgb, size, mode="bilinear", antialias=True)


@cache
def _network(name: str, kind: type[_N]) -> _N:
    from safetensors.torch import load

    file = resources.files("impasto") / "data" / "masks" / f"{name}.safetensors"
    network: _N = kind()
    network.load_state_dict(load(file.read_bytes()))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)
