"""Style: what a method keeps of its style pictures, so that it can be used again and blended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from impasto.errors import InputError


@dataclass(frozen=True, eq=False)
class Part:
    """What was kept of one style picture.

    Attributes:
        tensors: By name; which names there are is the method's own business.
        weight: Its share in a blend.
    """

    tensors: Mapping[str, Tensor]
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Style:
    """A weighted sum of style pictures, as one method keeps them.

    ``0.3 * a + 0.7 * b`` blends two styles of one method. The sum stays formal: each method
    decides what adding its parts means (losses that add up, statistics that are averaged).

    Example:
        >>> a, b = Style("gatys", (Part({}),)), Style("gatys", (Part({}),))
        >>> [part.weight for part in 0.25 * (a + b) + a * 0.5]
        [0.25, 0.25, 0.5]
    """

    method: str
    parts: tuple[Part, ...]

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    def __mul__(self, factor: float) -> Style:
        parts = tuple(replace(part, weight=part.weight * factor) for part in self.parts)
        return replace(self, parts=parts)

    __rmul__ = __mul__

    def __add__(self, other: Style) -> Style:
        if other.method != self.method:
            raise InputError(
                f"a style of {self.method} and one of {other.method} cannot be blended: "
                f"encode both with one method"
            )
        return replace(self, parts=self.parts + other.parts)

    def expect(self, method: str) -> Style:
        """This style, if it is one of ``method``.

        Raises:
            InputError: It was encoded by another method.
        """
        if self.method != method:
            raise InputError(f"this style was encoded by {self.method}, not by {method}")
        return self
