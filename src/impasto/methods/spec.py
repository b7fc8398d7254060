"""What a method says of itself: its abilities, its family, the papers that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto

OTHER = "other"  # the family of methods that name no other
FAMILIES = ("optimization", "per_style", "multi_style", "arbitrary", OTHER)


class Ability(Flag):
    """What a method can do."""

    STYLIZE = auto()  # a photo in the style of a painting
    SYNTHESIZE = auto()  # more of a texture, at any size
    RECONSTRUCT = auto()  # a picture from its features
    MASKS = auto()  # regions with styles of their own, better than by blending pictures
    BLEND = auto()  # several style pictures with weights
    UPSCALE = auto()  # a larger picture
    INSPECT = auto()  # shows what the parts of a style have learned: see NetworkMethod.inspect
    TRAIN = auto()  # learns, and paints with what it has learned: see impasto.methods.network
    EXPORT = auto()  # runs in other runtimes: see NetworkMethod.graphs

    def words(self) -> str:
        """The abilities as the table of methods prints them."""
        return ", ".join(sorted(str(one.name).lower() for one in self))


@dataclass(frozen=True)
class Paper:
    """Where a method comes from."""

    authors: str
    title: str
    venue: str
    year: int
    url: str = ""

    def __str__(self) -> str:
        return f"{self.authors}, {self.title}, {self.venue} {self.year}"
