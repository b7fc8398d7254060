"""What a file is, told by how it starts."""

from __future__ import annotations

import re

from impasto.errors import InputError

READS = "PNG, JPEG, WebP, TIFF, BMP or GIF"

# What a file is, by how it starts. Only these decoders of Pillow are ever let loose on a file:
# it has some forty, and one of them starts Ghostscript.
_FORMATS = (
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"RIFF....WEBP", "WEBP"),
    (rb"II[*+]\x00|MM\x00[*+]", "TIFF"),
    (rb"BM", "BMP"),
    (rb"GIF8[79]a", "GIF"),
)
_FOREIGN = (
    (rb"....ftyp(heic|heix|hevc|mif1|msf1)", "an HEIC picture"),
    (rb"....ftypavi[fs]", "an AVIF picture"),
    (rb"....ftyp", "a video"),
    (rb"%PDF", "a PDF document"),
    (rb"%!PS", "a PostScript document"),
    (rb"8BPS", "a Photoshop document"),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 picture"),
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
            return kind
    for start, words in _FOREIGN:
        if re.match(start, head, re.DOTALL):
            raise InputError(
                f"{name} is {words}, which cannot be read: save it as PNG or JPEG first"
            )
    raise InputError(f"{name} is {_text_or_not(head)}: give a {READS} file")


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
