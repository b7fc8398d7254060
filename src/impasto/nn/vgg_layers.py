"""Names, depths and widths of the layers of VGG-16 and VGG-19."""

from __future__ import annotations

import re

from impasto.errors import InputError, TooSmallError

BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # convolutions in each block
WIDTHS = (64, 128, 256, 512, 512)  # channels of each block


def layer_names(arch: str) -> tuple[str, ...]:
    """Return all layers of ``vgg16`` or ``vgg19`` in the order in which they run.

    Example:
        >>> layer_names("vgg19")[:5]
        ('conv1_1', 'relu1_1', 'conv1_2', 'relu1_2', 'pool1')
        >>> len(layer_names("vgg16")), layer_names("vgg16")[-1]
        (31, 'pool5')
    """
    names: list[str] = []
    for block, depth in enumerate(BLOCKS[arch], start=1):
        for index in range(1, depth + 1):
            names += [f"conv{block}_{index}", f"relu{block}_{index}"]
        names.append(f"pool{block}")
    return tuple(names)


def smallest_side(layer: str) -> int:
    """Return the smallest side of an image, in pixels, that leaves two positions at a layer.

    Example:
        >>> smallest_side("relu1_2"), smallest_side("relu4_1"), smallest_side("pool4")
        (2, 16, 32)
    """
    return 1 << block_of(layer) + layer.startswith("pool")


def check_size(height: int, width: int, layer: str) -> None:
    """Check that an image is large enough for a layer.

    Raises:
        TooSmallError: A side, in pixels, is below :func:`smallest_side`.
    """
    least = smallest_side(layer)
    if min(height, width) < least:
        raise TooSmallError(
            f"a {width}x{height} picture is too small for {layer}: its sides must be at least "
            f"{least} pixels",
            least,
        )


def block_of(layer: str) -> int:
    """Return the number of a layer's block, from 1.

    Raises:
        InputError: The name is not that of a layer.
    """
    match = re.match(r"(?:conv|relu|pool)(\d)", layer)
    if match is None:
        raise InputError(f"unknown layer {layer!r}: names are like relu4_1, conv4_2 or pool4")
    return int(match[1])
