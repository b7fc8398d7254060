"""Feature maps that are computed in strips of rows.

A :class:`LazyMap` replaces a tensor in the ``forward`` of a network. PyTorch passes every operation
on it to ``__torch_function__``, which computes nothing, but records a function from rows of the
operands to rows of the result. :mod:`impasto.nn.tiled_inference` then computes the maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

Rows = Callable[[int, int], Tensor]

_POSITIONS = 1 << 17  # maximum per strip, in the largest map that is computed for it
LEAST = 16  # minimum number of rows of a strip
_POINTWISE = frozenset(
    (
        *("add", "sub", "mul", "div", "neg", "lerp", "clamp", "clamp_min", "clamp_max"),
        *("__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__"),
        *("__truediv__", "__neg__", "relu", "tanh", "sigmoid", "sqrt", "square"),
        *("float", "contiguous", "flip"),
    )
)


class NotInStripsError(Exception):
    """An operation cannot be computed in strips."""


class Statistics(Protocol):
    """Statistics of a map, accumulated over its rows."""

    def add(self, rows: Tensor) -> None:
        """Add rows (B, C, h, W)."""

    def finish(self) -> Callable[[Tensor], Tensor]:
        """Return the function from rows of the map to rows of the result."""


class LazyMap:
    """A feature map (B, C, H, W) that is computed in strips.

    Args:
        like: A tensor on the meta device with the shape, and with the format without autocast.
        compute: Returns the rows from the first argument up to, not including, the second.
        operands: The maps whose rows ``compute`` reads.
        above: Number of rows above its own first row that ``compute`` reads in the operands; None
            if the rows of map and operands do not correspond.
        device: Device of the rows; None is that of the operands.

    Attributes:
        maps: All maps of one run, in the order of their operations.
        readers: Number of maps that read this one.
        stored: The whole map, once it is in memory.
    """

    def __init__(
        self,
        like: Tensor,
        compute: Rows,
        operands: Sequence[LazyMap] = (),
        *,
        above: int | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.like, self.compute, self.above = like, compute, above
        self.operands = tuple(operands)
        self.device: torch.device = device or self.operands[0].device
        self.maps: list[LazyMap] = self.operands[0].maps if self.operands else []
        self.maps.append(self)
        self.stored: Tensor | None = None
        self.readers = 0
        for operand in self.operands:
            operand.readers += 1

    requires_grad = False
    shape = property(lambda self: self.like.shape)
    ndim = property(lambda self: self.like.ndim)
    dtype = property(lambda self: self.like.dtype)

    def dim(self) -> int:
        """Return the number of dimensions, 4."""
        return self.like.ndim

    def __len__(self) -> int:
        return self.like.shape[0]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(Tensor, name, None)
        if name.startswith("__") or not callable(method):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.__torch_function__(method, (), (self, *args), kwargs)

    def __getitem__(self, index: Any) -> LazyMap:
        if not isinstance(index, tuple) or len(index) != 3 or index[0] is not Ellipsis:
            raise NotInStripsError(f"the index {index}")
        first = index[1].indices(self.shape[2])[0]

        def compute(start: int, stop: int) -> Tensor:
            return self.rows(first + start, first + stop)[..., index[2]]

        return LazyMap(self.like[index], compute, (self,), above=0)

    @classmethod
    def __torch_function__(
        cls,
        function: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Record an operation; see :func:`in_strips` for those that are not pointwise."""
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "")
        form = _FORMS.get(function) or _FORMS.get(name)
        if form is not None:
            return form(*args, **kwargs)
        plain = name if name.startswith("__") else name.rstrip("_")  # not in place: rows are shared
        if plain not in _POINTWISE or (plain == "flip" and args[1:] not in {(1,), ((1,),)}):
            raise NotInStripsError(f"{name} has no form for strips")
        kwargs.pop("inplace", None)
        function = getattr(Tensor, plain)
        return pointwise(lambda *operands: function(*operands, **kwargs), *args)

    def rows(self, start: int, stop: int) -> Tensor:
        """Return rows ``start`` to ``stop`` (exclusive) of the map, computed or stored."""
        if self.stored is not None:
            return self.stored[..., start:stop, :]
        return self.compute(start, stop)

    def strips(self) -> Iterator[tuple[int, int]]:
        """Yield the first row of each strip, and the row after its last."""
        height = self.shape[2]
        step = max(LEAST, _POSITIONS * height // self._largest() // LEAST * LEAST)
        for start in range(0, height, step):
            yield start, min(start + step, height)

    def _largest(self) -> int:
        """Return the positions of the largest map that is computed for this one."""
        found, waiting = 0, [self]
        seen: set[int] = set()
        while waiting:
            one = waiting.pop()
            found = max(found, one.shape[2] * one.shape[3])
            fresh = [] if one.stored is not None else one.operands
            waiting += [operand for operand in fresh if id(operand) not in seen]
            seen.update(map(id, fresh))
        return found


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "neg"):
    _method = getattr(Tensor, f"__{_name}__")
    setattr(
        LazyMap,
        f"__{_name}__",
        lambda *args, method=_method: LazyMap.__torch_function__(method, (), args),
    )


class Measured(LazyMap):
    """A pointwise function of a map that depends on statistics of the whole map.

    Args:
        operand: The map.
        gather: Creates the object that accumulates the statistics.
        like: See :class:`LazyMap`; None is that of the operand.
    """

    def __init__(
        self, operand: LazyMap, gather: Callable[[], Statistics], like: Tensor | None = None
    ) -> None:
        like = operand.like if like is None else like
        super().__init__(like, self._computed, (operand,), above=0)
        self.gather = gather
        self.transform: Callable[[Tensor], Tensor] | None = None

    def _computed(self, start: int, stop: int) -> Tensor:
        assert self.transform is not None  # set when the statistics are complete
        return self.transform(self.operands[0].rows(start, stop))


_FORMS: dict[Any, Callable[..., Any]] = {}


def in_strips(function: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the implementation of a function for maps in strips.

    Args:
        function: A function that supports ``torch.overrides``; or the name of one of PyTorch's.
    """

    def register(form: Callable[..., Any]) -> Callable[..., Any]:
        _FORMS[function] = form
        return form

    return register


def pointwise(function: Callable[..., Tensor], *operands: Any) -> LazyMap:
    """Apply a function to each position of maps.

    Args:
        function: A pointwise function of tensors.
        operands: Maps, numbers, and tensors (..., 1, 1).

    Raises:
        NotInStripsError: A tensor has more than one row.
    """
    maps = [one for one in operands if isinstance(one, LazyMap)]
    for one in operands:
        if isinstance(one, Tensor) and one.ndim > 1 and one.shape[-2] > 1:
            raise NotInStripsError("a tensor with rows beside a map in strips")
    likes = [one.like if isinstance(one, LazyMap) else _on_meta(one) for one in operands]

    def compute(start: int, stop: int) -> Tensor:
        return function(
            *(one.rows(start, stop) if isinstance(one, LazyMap) else one for one in operands)
        )

    return LazyMap(function(*likes), compute, maps, above=0)


def _on_meta(operand: Any) -> Any:
    return operand.to("meta") if isinstance(operand, Tensor) else operand
