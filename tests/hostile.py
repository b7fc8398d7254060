"""Two hundred inputs that no program should have to meet: broken, lying, huge, oddly named.

The same ones at every run. Some are whole pictures under odd names or of odd shapes: for these a
result is right; for all others a refusal is, or a result from what could be read.
"""

import io
import os
import random
import socket
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from helpers import chunk

COUNT = 200

NAMES = (
    "-o.png",
    "--help.png",
    " spaces around .png",
    "na\u00efve \u00fcmlaut \u65e5\u672c\u8a9e \U0001f3a8.png",
    "new\nline.png",
    "tab\tand\rreturn.png",
    "a" * 240 + ".png",
    ".hidden.png",
    "%s%n%x{0}{name}.png",
    "$(touch pwned) `id` ; rm -rf x.png",
    "quote'\"s.png",
    "back\\slash.png",
    "no ending at all",
    "double.png.jpg",
    "LOUD.PNG",
    "..png",
    "\u202egnp.exe.png",
    "[bold red]markup[blink] [link=x].png",
    "\x1b[31mescape\x07.png",
    os.fsdecode(b"not \xff\xfe utf-8.png"),
)


def write(folder):
    """Fill an empty folder; the list of what lies in it, COUNT paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(1)
    made = [folder / name for name, data in _plain() if _put(folder / name, data)]
    made += _of_the_system(folder)
    sound = _sound()
    while len(made) < COUNT:  # bits turned in what was a picture
        name = dice.choice(sorted(sound))
        data = bytearray(sound[name])
        for _ in range(dice.choice((1, 1, 2, 4, 16, 64))):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path = folder / f"flipped-{len(made)}-{name}"
        path.write_bytes(bytes(data))
        made.append(path)
    assert len(set(made)) == COUNT
    return made


def _put(path, data):
    path.write_bytes(data)
    return True


@cache
def _plain():
    """Names and contents, made once: the bombs take a second to pack."""
    return tuple(_made(random.Random(0)))


def _made(dice):
    sound = _sound()
    for name, data in sound.items():
        for share in (0.05, 0.4, 0.95):
            yield f"cut-{share}-{name}", data[: int(len(data) * share)]
        yield f"longer-{name}", data + dice.randbytes(500)
    heads = sorted(sound)
    for first, second in zip(heads, heads[1:] + heads[:1], strict=True):
        yield f"head-of-{first}-on-{second}", sound[first][:40] + sound[second][40:]
        yield f"{Path(first).stem}-called.{second.rsplit('.', 1)[1]}", sound[first]
    for name in NAMES:
        yield name, sound["rgb.png"]
    yield from _bombs()
    yield from _strangers(dice)
    yield from _odd_shapes()


def _sound():
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 255, (20, 24, 3), np.uint8))
    profile = b"\0" * 36 + b"acsp" + b"\0" * 200
    kinds = {
        "rgb.png": {},
        "interlaced.gif": {"interlace": 1},
        "baseline.jpg": {"quality": 90},
        "progressive.jpg": {"progressive": True, "icc_profile": profile},
        "lossy.webp": {},
        "lossless.webp": {"lossless": True, "exif": b"Exif\0\0MM\0*\0\0\0\x08" + b"\xff" * 30},
        "plain.bmp": {},
        "lzw.tif": {"compression": "tiff_lzw"},
    }
    files = {}
    for name, options in kinds.items():
        kind = Image.registered_extensions()[name[name.rindex(".") :]]
        rgb.save(buffer := io.BytesIO(), kind, **options)
        files[name] = buffer.getvalue()
    tifffile.imwrite(
        buffer := io.BytesIO(), rng.integers(0, 65535, (20, 24, 3), np.uint16), photometric="rgb"
    )
    files["deep.tif"] = buffer.getvalue()
    return files


def _png(width, height, *chunks, depth=8, color=2):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


def _bombs():
    """Small files that ask for gigabytes."""
    zeros = zlib.compress(bytes(64 << 20), 9)
    row = zlib.compress(bytes(20 * (24 * 3 + 1)))
    yield "bomb-of-pixels.png", _png(20000, 20000, chunk(b"IDAT", zeros), depth=1, color=0)
    yield "bomb-of-nothing.png", _png(65000, 65000, chunk(b"IDAT", row))
    yield "bomb-of-lies.png", _png(2**31 - 1, 2**31 - 1, chunk(b"IDAT", row))
    yield "bomb-no-width.png", _png(0, 20, chunk(b"IDAT", row))
    yield "bomb-of-text.png", _png(24, 20, chunk(b"zTXt", b"a\0\0" + zeros), chunk(b"IDAT", row))
    yield (
        "bomb-of-profile.png",
        _png(24, 20, chunk(b"iCCP", b"a\0\0" + zeros), chunk(b"IDAT", row)),
    )
    yield "bomb-of-chunks.png", _png(24, 20, *[chunk(b"tEXt", b"a\0b")] * 50_000)
    yield (
        "bomb.gif",
        b"GIF89a\xff\xff\xff\xff\xf7\0\0" + bytes(768) + b",\0\0\0\0\xff\xff\xff\xff\0",
    )
    yield (
        "bomb.bmp",
        b"BM" + struct.pack("<IIIIiiHHI", 99, 0, 54, 40, 2**31 - 1, -(2**31), 1, 24, 0),
    )
    yield "bomb.jpg", b"\xff\xd8\xff\xc0\0\x11\x08\xff\xdc\xff\xdc\x03\1\x22\0\2\x11\1\3\x11\1"
    yield "bomb.ppm", b"P6 99999 99999 255\n" + b"x" * 100
    yield "bomb.pgm", b"P2 9999999999999999999999 1 255\n1"
    for name, size in (("loop", 8), ("far", 2**32 - 1)):  # a directory that is its own successor
        entry = struct.pack("<HHHII", 1, 256, 4, 1, 2**31)
        yield f"bomb-{name}.tif", b"II*\0" + struct.pack("<I", 8) + entry + struct.pack("<I", size)
    yield "bomb.webp", b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0/\xff\xff\xff\x0f" + bytes(8)


def _strangers(dice):
    """What is no picture at all."""
    yield "empty.png", b""
    yield "one-byte.jpg", b"\xff"
    yield "noise.png", dice.randbytes(4000)
    yield "zeros.jpg", bytes(100_000)
    yield "text.png", b"This is no picture.\n" * 50
    yield "page.jpg", b"<!doctype html><script>alert(1)</script>"
    yield "drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    yield "script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(id) system\n"
    yield "document.pdf", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"
    yield "archive.png", b"PK\x03\x04" + dice.randbytes(300)
    yield "program.gif", b"\x7fELF" + dice.randbytes(300)
    yield "film.png", b"\0\0\0\x18ftypmp42" + dice.randbytes(300)
    yield "pickle.png", b"cos\nsystem\n(S'touch pwned'\ntR."
    yield "model.png", struct.pack("<Q", 2**60) + b"{}"


def _odd_shapes():
    """Whole pictures that are still hard."""
    for width, height in ((1, 1), (1, 900), (900, 1), (2, 2), (3, 70)):
        Image.new("RGB", (width, height), (200, 90, 10)).save(buffer := io.BytesIO(), "PNG")
        yield f"shape-{width}x{height}.png", buffer.getvalue()
    for name, value in (("nan", np.nan), ("inf", np.inf), ("huge", 1e38)):
        tifffile.imwrite(
            buffer := io.BytesIO(), np.full((20, 24, 3), value, np.float32), photometric="rgb"
        )
        yield f"all-{name}.tif", buffer.getvalue()
    Image.new("RGBA", (24, 20), (9, 9, 9, 0)).save(buffer := io.BytesIO(), "PNG")
    yield "invisible.png", buffer.getvalue()


def _of_the_system(folder):
    """What a name may stand for beside a file."""
    (folder / "a folder.png").mkdir()
    (folder / "to nothing.png").symlink_to("nowhere.png")
    (folder / "to itself.png").symlink_to("to itself.png")
    (folder / "without end.png").symlink_to("/dev/zero")
    (folder / "nothing in it.png").symlink_to("/dev/null")
    os.mkfifo(folder / "pipe that nobody fills.png")
    names = ["a folder", "to nothing", "to itself", "without end", "nothing in it"]
    names.append("pipe that nobody fills")
    here = os.getcwd()
    os.chdir(folder)  # a socket's path may be 108 bytes long
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind("socket.png")
    finally:
        os.chdir(here)
    return [folder / f"{name}.png" for name in [*names, "socket"]]
