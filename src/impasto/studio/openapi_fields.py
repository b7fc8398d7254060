"""Describe the fields of the endpoints by JSON schemas, with the limits of a server."""

from __future__ import annotations

import inspect
import re
from typing import Any

from impasto.api.options import COLORS
from impasto.api.presets import QUALITIES
from impasto.core.schemes import SAMPLE
from impasto.methods.spec import Ability
from impasto.studio import jobs, options
from impasto.studio.endpoints import Endpoints
from impasto.studio.limits import MAX_TEXT, PAINTINGS, Limits

Schema = dict[str, Any]

FILE: Schema = {"$ref": "#/components/schemas/File"}


def bodies(limits: Limits) -> dict[str, tuple[str, Schema]]:
    """Return a summary of each endpoint and the schema of its request's body, by name.

    Defaults are those of the function's signature, descriptions those of its docstring.

    Args:
        limits: Of this server.
    """
    return {name: _body(name, fields) for name, fields in _fields(limits).items()}


def _body(name: str, fields: dict[str, Schema]) -> tuple[str, Schema]:
    does = getattr(Endpoints, name)
    about, _, rest = (inspect.getdoc(does) or "").partition("\n")
    meanings = dict(re.findall(r"^ {4}(\w+): (.+)$", rest, re.MULTILINE))
    parameters = inspect.signature(does).parameters
    properties: Schema = {}
    for field, schema in fields.items():
        words = f"{meanings[field]} {schema.get('description', '')}".strip()
        properties[field] = {**schema, "description": words}
        default = parameters[field].default
        if default is not inspect.Parameter.empty:
            properties[field]["default"] = default
    body: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [field for field in fields if "default" not in properties[field]]
    return about, body | ({"required": required} if required else {})


def _fields(limits: Limits) -> dict[str, dict[str, Schema]]:
    """Return the schemas of the fields of each endpoint, without their defaults.

    A description here is added to that of the function's docstring.
    """
    most = f"At most {limits.side}; {limits.optimized} for methods that optimise the image."
    seed = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
    settings = {"type": "string", "maxLength": MAX_TEXT}
    side = {"type": "integer", "minimum": 1, "maximum": limits.side, "description": most}
    size = rf"^({jobs.AUTO}|{jobs.FULL}|[1-9][0-9]*)$"
    return {
        "stylize": {
            "photo": FILE,
            "styles": _list({"enum": _names(options.styles())}),
            "paintings": _list(FILE),
            "weights": _list({"type": "number", "minimum": 0}),
            "mask": {"anyOf": [FILE, {"type": "null"}]},
            "quality": {"enum": list(QUALITIES)},
            "method": {"enum": _methods(Ability.STYLIZE)},
            "settings": settings,
            "size": {"type": "string", "pattern": size, "description": most},
            "strength": {"type": "number", "minimum": 0, "maximum": 1},
            "style_scale": {"type": "number", "exclusiveMinimum": 0, "maximum": 8},
            "colors": {"enum": list(COLORS)},
            "seed": seed,
        },
        "texture": {
            "name": {"enum": _names(options.textures())},
            "sample": {"anyOf": [FILE, {"type": "null"}]},
            "method": {"enum": _methods(Ability.SYNTHESIZE)},
            "settings": settings,
            "width": side,
            "height": side,
            "seed": seed,
        },
        "styles": {},
    }


def _list(items: Schema) -> Schema:
    return {"type": ["array", "null"], "items": items, "maxItems": PAINTINGS}


def _names(choices: tuple[options.StyleChoice, ...]) -> list[str]:
    """Return all names of styles, those of sample images with and without their scheme."""
    full = [one.name for one in choices]
    return list(dict.fromkeys([*full, *(name.removeprefix(SAMPLE) for name in full)]))


def _methods(ability: Ability) -> list[str]:
    return ["", *(entry.name for entry in options.image_style_methods(ability))]
