"""What a file is, told by how it starts."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import features

from impasto.errors import InputError

READS = "PNG, JPEG, WebP, TIFF, BMP, GIF, PPM, JPEG 2000 or AVIF"
_HEAD = 4096

# What a file is, by how it starts. Only these decoders of Pillow are ever let loose on a file:
# it has some forty, and one of them starts Ghostscript.
_FORMATS = (
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"RIFF....WEBP", "WEBP"),
    (rb"II[*+]\x00|MM\x00[*+]", "TIFF"),
    (rb"BM", "BMP"),
    (rb"GIF8[79]a", "GIF"),
    (rb"P[1-6]\s+(?:#[^\n]*\n\s*)*\d+\s", "PPM"),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", "JPEG2000"),
    (rb"....ftypavi[fs]", "AVIF"),
)
# Decoders that an installed Pillow may lack, and its names of them.
_OPTIONAL = {"AVIF": "avif", "JPEG2000": "jpg_2000"}
_FOREIGN = (
    (rb"....ftyp(heic|heix|hevc|mif1|msf1)", "an HEIC picture"),
    (rb"....ftyp", "a video"),
    (rb"%PDF", "a PDF document"),
    (rb"%!PS", "a PostScript document"),
    (rb"8BPS", "a Photoshop document"),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (rb"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "an archive"),
)


def kind_of(head: bytes, name: str) -> str:
    """Pillow's name of the format that a file starts like.

    Raises:
        InputError: It is none that can be read; the text says what it is instead.
    """
    if not head:
        raise InputError(f"{name} is empty (0 bytes): make or fetch it again")
    for start, kind in _FORMATS:
        if re.match(start, head, re.DOTALL):
            if kind in _OPTIONAL and not features.check(_OPTIONAL[kind]):
                raise InputError(
                    f"{name} is a picture in {kind}, which the installed "
                    "Pillow was built without: install one that has it, or save it as PNG first"
                )
            return kind
    for start, words in _FOREIGN:
        if re.match(start, head, re.DOTALL):
            raise InputError(
                f"{name} is {words}, which cannot be read: save it as PNG or JPEG first"
            )
    raise InputError(f"{name} is {_text_or_not(head)}: give a {READS} file")


def why_not(path: str | Path) -> str:
    """Tell by its content what keeps a file from being read as a picture.

    Args:
        path: A regular file, with any ending.

    Returns:
        A few words on its kind; empty for a picture that can be read.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return "file that cannot be opened"
    if not head:
        return "empty file"
    if head[:2] == b"BM" and head[6:10] != bytes(4):  # two letters may begin any text
        return _word(_text_or_not(head))
    try:
        kind_of(head, "")
    except InputError as error:
        return _word(str(error), head)
    return ""


def _word(words: str, head: bytes = b"") -> str:
    if "was built without" in words:
        return "picture that the installed Pillow was built without"
    foreign = (w for start, w in _FOREIGN if re.match(start, head, re.DOTALL))
    plain = "text file" if "text, not" in words else "other file"
    return next(foreign, f"a {plain}").split(" ", 1)[1]


def _text_or_not(head: bytes) -> str:
    text = head.decode("utf-8", "replace").lstrip("\ufeff").lstrip()
    if "<svg" in text:
        return "an SVG drawing, not pixels (export it as PNG)"
    if text[:15].lower().startswith(("<!doctype html", "<html")):
        return "a web page, not a picture (the download went wrong)"
    if text.startswith("version https://git-lfs"):
        return "a Git LFS pointer, not the picture itself (run git lfs pull)"
    odd = sum(not (c.isprintable() or c.isspace()) or c == "\ufffd" for c in text)
    return "text, not a picture" if text and odd <= 1 else "not a picture that can be read"
