"""Parse the text that names a weighted sum of style losses.

``0.5 gram + 0.5 moments@relu1_1,relu2_1`` is half a Gram loss on the method's own layers and half a
moments loss on two layers. Options stand in parentheses:
``polynomial(offset=1) + 0.1 gaussian(scale=2)``.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from impasto.errors import InputError
from impasto.losses.registry import LOSSES, NAME, list_losses
from impasto.losses.style import StyleLoss


@dataclass(frozen=True)
class Term:
    """A summand: a style loss with weight and layers.

    Attributes:
        loss: The style loss.
        name: Its registered name.
        weight: Its weight.
        layers: Its layers; None takes those of the method.
    """

    loss: StyleLoss
    name: str
    weight: float = 1.0
    layers: tuple[str, ...] | None = None


def layers_of(terms: Iterable[Term], layers: Iterable[str]) -> list[str]:
    """Return all layers that terms use: their own, and ``layers`` for terms without.

    Example:
        >>> layers_of(parse("gram + moments@relu2_1,relu2_2"), ["relu1_1", "relu2_1"])
        ['relu1_1', 'relu2_1', 'relu2_2']
    """
    own = (layer for term in terms for layer in term.layers or ())
    return list(dict.fromkeys([*layers, *own]))


_TERM = re.compile(
    r"\s*(?:(?P<weight>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\s*\*?\s*)?"
    rf"(?P<name>{NAME})"
    r"(?:\((?P<options>[^)]*)\))?"
    r"(?:@(?P<layers>[a-z0-9_,]+))?\s*(?P<plus>\+|$)"
)


def parse(text: str) -> tuple[Term, ...]:
    """Parse the text of a weighted sum of style losses.

    Raises:
        InputError: The text does not parse, or names an unknown loss or option.

    Example:
        >>> [(t.weight, t.name, t.layers) for t in parse("0.5 gram + moments@relu1_1,relu2_1")]
        [(0.5, 'gram', None), (1.0, 'moments', ('relu1_1', 'relu2_1'))]
        >>> parse("2*polynomial(offset=1)")[0].loss
        PolynomialLoss(degree=2, offset=1.0, estimator='biased', subsample=2048)
    """
    terms: list[Term] = []
    position = 0
    while position < len(text) or not terms:
        match = _TERM.match(text, position)
        dangling = match is not None and match["plus"] == "+" and not text[match.end() :].strip()
        if match is None or dangling:
            raise InputError(
                f"cannot read the losses {text!r} from {text[position:].strip()!r} on; "
                f"write for example '0.5 gram + 0.5 moments@relu1_1,relu2_1'"
            )
        terms.append(_term(match))
        position = match.end()
    return tuple(terms)


def _term(match: re.Match[str]) -> Term:
    name = match["name"]
    if name not in LOSSES and name not in list_losses():
        raise InputError(f"unknown loss {name!r}: choose {', '.join(LOSSES)}")
    layers = tuple(match["layers"].split(",")) if match["layers"] else None
    loss = LOSSES[name](**_options(LOSSES[name], name, match["options"] or ""))
    weight = float(match["weight"] or 1.0)
    if not math.isfinite(weight):
        raise InputError(f"the weight {match['weight']} of the loss {name!r} is too large")
    return Term(loss, name, weight, layers)


def _options(kind: type[Any], name: str, text: str) -> dict[str, Any]:
    fields: dict[str, type[Any]] = {f.name: type(f.default) for f in dataclasses.fields(kind)}
    options: dict[str, Any] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = (part.strip() for part in item.partition("="))
        if key not in fields:
            known = ", ".join(fields) or "none"
            raise InputError(f"unknown option {key!r} of the loss {name!r}: it has {known}")
        try:
            options[key] = fields[key](value)
        except ValueError as error:
            raise InputError(f"{name}({key}=...): {value!r} is no number") from error
    return options
