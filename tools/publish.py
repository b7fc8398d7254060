"""Add a trained model to the package: its name, its title, its card, its sample image.

    python tools/publish.py trained.safetensors starry-night
    python tools/publish.py many.safetensors cin

The description of the model is in models.toml beside this file; everything else in the card is
read from the model's header, where training wrote it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import impasto
from impasto import image
from impasto.api import stylize, visualize
from impasto.api.inputs import read_image, resize_long_edge
from impasto.image.contact_sheet import contact_sheet
from impasto.models import checkpoint, zoo

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "docs" / "gallery" / "models"
PHOTOS = ("astronaut", "chelsea", "coffee")
PAINTINGS = ("swirls", "wave", "mosaic", "cubist")


def main(trained: str, name: str) -> None:
    """Publish a model under a name, with its styles named as in its description."""
    words = tomllib.loads((Path(__file__).parent / "models.toml").read_text(encoding="utf-8"))[name]
    made = checkpoint.load(trained)
    titles = words.get("styles", {name: words["title"]})
    assert len(titles) == len(made.styles), "a title for each style, in their order"
    card = {**made.card, "titles": titles}
    made = dataclasses.replace(made, config={**made.config, **words.get("config", {})})
    path = zoo.folder() / f"{name}{checkpoint.SUFFIX}"
    checkpoint.save(dataclasses.replace(made, styles=tuple(titles), card=card), path, bits=8)
    zoo.shipped.cache_clear()
    sample(name, card["kind"], tuple(titles))
    text = write(name, made, card, words, path)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    page()
    print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")


def sample(name: str, kind: str, styles: Sequence[str]) -> None:
    """Write a sheet of the model's results on the package's photos."""
    SAMPLES.mkdir(parents=True, exist_ok=True)
    target = SAMPLES / f"{name}.jpg"
    if kind == "texture":
        image.save(impasto.synthesize(name, size=(768, 384)), target, quality=90)
        return
    if kind == "upscale":
        small = [resize_long_edge(read_image(f"sample:{photo}"), 96, None) for photo in PHOTOS]
        large = [impasto.upscale(photo, model=name) for photo in small]
        plain = [
            photo.resized(big.height, big.width) for photo, big in zip(small, large, strict=True)
        ]
        pairs = [("bicubic", one) for one in plain] + [(name, one) for one in large]
        image.save(contact_sheet(pairs, columns=len(PHOTOS), height=384), target, quality=90)
        return
    if kind == "any":
        pairs = [
            (painting, stylize.stylize(f"sample:{photo}", f"sample:{painting}", method=name))
            for photo in PHOTOS
            for painting in PAINTINGS
        ]
        image.save(contact_sheet(pairs, columns=len(PAINTINGS)), target, quality=90)
        return
    if len(styles) > 1:
        many = [(one, stylize.stylize("sample:coffee", one, size=384)) for one in styles]
        image.save(contact_sheet(many, columns=4), target, quality=90)
        return
    painted = [(p, stylize.stylize(f"sample:{p}", name, size=512)) for p in PHOTOS]
    image.save(contact_sheet(painted, height=384), target, quality=90)


def page() -> None:
    """Draw every style on one photo, and list all models in docs/models.md."""
    known = sorted(zoo.shipped(), key=lambda one: (one.kind, one.path, one.index))
    # sorted so that styles of one model are together
    names = [one.name for one in known if one.kind == "style"]
    image.save(
        visualize.styles("sample:coffee", names, size=384), SAMPLES / "styles.jpg", quality=90
    )
    parts = [PAGE]
    for path in dict.fromkeys(one.path for one in known):
        inside = [one for one in known if one.path == path]
        file, first = path.stem, inside[0]
        what = first.title
        if len(inside) > 1:
            what = "\n".join(f"- `{one.name}`: {one.title}" for one in inside) + "\n\nall"
        card = f"[card](../src/impasto/models/{file}.md)"
        parts.append(
            f"## {file}\n\n{what}; `{first.method}`, {card}.\n\n"
            f"![{file}](gallery/models/{file}.jpg)\n"
        )
    (ROOT / "docs" / "models.md").write_text("\n".join(parts), encoding="utf-8")


PAGE = """# The shipped models

What `impasto styles` lists, drawn by `tools/publish.py`. The photos are scikit-image's; no model
learned from them.

All styles on one photo:

![Every style on one photo](gallery/models/styles.jpg)
"""


def write(
    name: str, made: checkpoint.Model, card: Mapping[str, Any], words: Mapping[str, str], path: Path
) -> str:
    """Return the card in Markdown."""
    plan, cut = card["recipe"]["plan"], card["recipe"]["cut"]
    data = card["data"].get("content")
    photos = (
        f"{data['pictures']} photographs, crops of {cut['crop']} pixels; CC BY, CC BY-SA, Unsplash "
        f"and public domain"
        if data
        else "none: it learns from noise"
    )
    loss = ", ".join(f"{key} {value:.4g}" for key, value in card["losses"].items())
    rows = {
        "what it does": words["title"],
        "method": made.method,
        "names": ", ".join(f"`{style}`" for style in made.styles),
        "learned from": words["learned"],
        "photographs": photos,
        "steps": f"{card['steps']} of batch {plan['batch']}, {card['seconds'] / 60:.0f} minutes",
        "started from": "chance" if not card["start"] else words.get("start", card["start"][:16]),
        "machine": f"{card['runtime']}, torch {card['torch']}",
        "last losses": loss,
        "weights": f"{sum(v.numel() for v in made.state.values()):,} numbers in 8 and 16 bits, "
        f"{path.stat().st_size / 1e6:.2f} MB",
        "SHA-256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "licence": "MIT, as the package",
        "known faults": words.get("faults", "none noted"),
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    return (
        f"# {name}\n\n{words['title']}, learned by `{made.method}`.\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        f"Made by\n\n```\n{card['command']}\n```\n\n"
        f"which wrote all its numbers into the model's own header "
        f"(`impasto.models.checkpoint.load(path, weights=False)`).\n\n"
        f"![Samples](../../../docs/gallery/models/{name}.jpg)\n"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
