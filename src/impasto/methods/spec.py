"""The description of a method: its abilities, its family and its papers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto

OTHER = "other"  # the family of methods that are in no other
FAMILIES = ("optimization", "per_style", "multi_style", "arbitrary", OTHER)


class Ability(Flag):
    """A set of tasks that a method can do."""

    STYLIZE = auto()  # paint a content image in the style of a style image
    SYNTHESIZE = auto()  # synthesize a texture at any size
    RECONSTRUCT = auto()  # reconstruct an image from its features
    MASKS = auto()  # handle regions with different styles itself; else results are blended
    BLEND = auto()  # blend several style images with weights
    UPSCALE = auto()  # enlarge an image
    INSPECT = auto()  # visualise what a style has learned: see impasto.methods.protocols
    TRAIN = auto()  # is a network that can be trained: see impasto.methods.network
    EXPORT = auto()  # can be exported to other runtimes: see NetworkMethod.graphs

    def describe(self) -> str:
        """Return the names of the abilities, separated by commas."""
        return ", ".join(sorted(str(one.name).lower() for one in self))


@dataclass(frozen=True)
class Paper:
    """The reference of a paper."""

    authors: str
    title: str
    venue: str
    year: int
    url: str = ""

    def __str__(self) -> str:
        return f"{self.authors}, {self.title}, {self.venue} {self.year}"
