"""Make image files of every format, and read their samples."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
import torch

from helpers import chunk
from impasto.errors import InputError
from impasto.image import load


def noise(shape, dtype=np.uint8, seed=0):
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top + 1, shape).astype(dtype)


def smooth(height=12, width=17):
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 255 / (width - 1), y * 255 / (height - 1), 255 - x * 255 / (width - 1)]
    return np.stack(channels, axis=2).astype(np.uint8)


def file_of(img, kind="PNG", **options):
    out = io.BytesIO()
    img.save(out, kind, **options)
    return out.getvalue()


def tiff_of(array, **options):
    out = io.BytesIO()
    tifffile.imwrite(out, array, **options)
    return out.getvalue()


def png16(array, color_type, extra=b"", tail=b""):
    """An unfiltered 16-bit PNG, independent of the package's own writer."""
    height, width = array.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + tail
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def words(picture):
    """16-bit samples of a Picture, (H, W, C)."""
    planes = picture.rgb if picture.alpha is None else torch.cat([picture.rgb, picture.alpha], 1)
    return (planes[0].permute(1, 2, 0).double() * 65535).round().numpy().astype(np.uint16)


def profile(swap=True, gamma=2.2, space=b"RGB "):
    """A minimal ICC v2 profile of curves and a matrix; `swap` exchanges red's and blue's tags."""

    def xyz(*values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    first, last = (b"b", b"r") if swap else (b"r", b"b")
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78 + 1),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        first + b"XYZ": xyz(0.4361, 0.2225, 0.0139),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        last + b"XYZ": xyz(0.1431, 0.0606, 0.7142),
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    if space == b"GRAY":
        tags = {b"desc": tags[b"desc"], b"wtpt": tags[b"wtpt"], b"kTRC": curve}
    table, data, offset = b"", b"", 132 + 12 * len(tags)
    for name, body in tags.items():
        padded = body + bytes(-len(body) % 4)
        table += struct.pack(">4sII", name, offset + len(data), len(body))
        data += padded
    size = offset + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def input_error(source, *, match=None, **options):
    with pytest.raises(InputError, match=match) as caught:
        load(source, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    return str(caught.value)


def table_profile(space, grid):
    """A profile of one A2B table to CIELAB, with two grid points a channel."""
    inks = len(space.strip())
    identity = bytes(range(256))
    body = b"mft1\0\0\0\0" + bytes([inks, 3, 2, 0])
    body += struct.pack(">9i", *(65536 * (i in (0, 4, 8)) for i in range(9)))
    body += identity * inks + bytes(v for node in grid for v in node) + identity * 3
    data = body + bytes(-len(body) % 4)
    header = struct.pack(">I4sI4s4s4s", 144 + len(data), b"", 0x02400000, b"prtr", space, b"Lab ")
    header += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", 144, len(body)) + data


def cmyk_profile():
    grid = []
    for i in range(16):
        c, m, y, k = (i >> shift & 1 for shift in (3, 2, 1, 0))
        light = 0 if k else 255 - 80 * (c + m + y)
        grid.append((light, 128 + 60 * (m - c) * (1 - k), 128))
    return table_profile(b"CMYK", grid)
