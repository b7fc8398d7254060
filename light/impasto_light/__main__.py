"""The command ``impasto-light``: parse the arguments, stylize, write the result."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from impasto_light._version import __version__


def main() -> None:
    """Run the command; exit code 2 for bad input."""
    parser = argparse.ArgumentParser(prog="impasto-light", description="Paint photos, no PyTorch.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("styles", help="list the styles")
    paint = commands.add_parser("stylize", help="paint a photo in a style")
    paint.add_argument("photo", type=Path)
    paint.add_argument("-s", "--style", required=True, help="a name of 'impasto-light styles'")
    paint.add_argument("-o", "--output", type=Path, help="PHOTO-STYLE.png by default")
    paint.add_argument("--size", type=int, default=512, help="long edge of the result: 512")
    paint.add_argument("--seed", type=int, default=0, help="of everything random: 0")
    paint.add_argument("--shifts", type=int, default=8, help="1 (fastest), 4, 8 or 16: 8")
    paint.add_argument("--engine", default="auto", help="auto, onnxruntime or openvino")
    given = parser.parse_args()
    try:
        _list() if given.command == "styles" else _stylize(given)
    except (OSError, ValueError) as error:  # Pillow's errors are OSErrors, InputError a ValueError
        sys.stderr.write(f"impasto-light: {error}\n")
        sys.exit(2)


def _list() -> None:
    from impasto_light.painting import styles

    for name, facts in styles().items():
        sys.stdout.write(f"{name:24} {facts['title']}\n")


def _stylize(given: argparse.Namespace) -> None:
    from PIL import Image

    from impasto_light.painting import stylize

    target = given.output or given.photo.with_name(f"{given.photo.stem}-{given.style}.png")
    with Image.open(given.photo) as photo:
        options = {"size": given.size, "seed": given.seed, "shifts": given.shifts}
        made = stylize(photo, given.style, engine=given.engine, **options)
    made.save(target)
    sys.stderr.write(f"{target}  {made.width}x{made.height}\n")


if __name__ == "__main__":
    main()
