"""Recognise the format of a file by its first bytes."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from PIL import features

from impasto.errors import InputError

READS = "PNG, JPEG, WebP, TIFF, BMP, GIF, PPM, TGA, JPEG 2000, AVIF or HEIC"
TEXT, EMPTY, OTHER = "text file", "empty file", "other file"
_HEAD = 4096

# Formats by the first bytes of a file. Only these decoders of Pillow are used, for safety: it has
# about forty, and one of them starts Ghostscript.
_FORMATS = (
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"RIFF....WEBP", "WEBP"),
    (rb"II[*+]\x00|MM\x00[*+]", "TIFF"),
    # with the size of its header, since a text may begin with the letters BM
    (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", "BMP"),
    (rb"GIF8[79]a", "GIF"),
    (rb"P[1-6]\s+(?:#[^\n]*\n\s*)*\d+\s", "PPM"),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", "JPEG2000"),
)
# TGA has no signature. Its header of 18 bytes: length of a comment, colour map, type of image,
# that map's first entry, length and depth, two offsets, width, height, depth, flags.
_TGA = re.compile(
    rb"."
    rb"(?:\x01[\x01\x09]....[\x0f\x10\x18\x20]....(?!\0\0)..(?!\0\0)..\x08"
    rb"|\x00[\x02\x0a]\0\0\0\0\0....(?!\0\0)..(?!\0\0)..[\x10\x18\x20]"
    rb"|\x00[\x03\x0b]\0\0\0\0\0....(?!\0\0)..(?!\0\0)..[\x08\x10])"
    rb"[\x00-\x3f]",
    re.DOTALL,
)
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_FOREIGN = (
    (rb"....(?:ftyp|moov|mdat|wide|skip)", "a video"),  # MP4, QuickTime
    (rb"\x1a\x45\xdf\xa3|RIFF....AVI |FLV\x01|YUV4MPEG2 ", "a video"),  # Matroska, WebM …
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11|\x00\x00\x01[\xb3\xba]", "a video"),  # WMV, MPEG
    (rb"OggS", "a sound or a video"),
    (rb"%PDF", "a PDF document"),
    (rb"%!PS", "a PostScript document"),
    (rb"8BPS", "a Photoshop document"),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (rb"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "an archive"),
)
_SYNC, _PACKETS = 0x47, (188, 192, 204)  # MPEG transport streams: first byte, bytes of a packet


def kind_of(head: bytes, name: str) -> str:
    """Return Pillow's name of a file's format.

    Args:
        head: The first bytes of the file.
        name: Name of the file for messages.

    Raises:
        InputError: The format is not supported; the message names it if known.
    """
    if not head:
        raise InputError(f"{name} is empty (0 bytes): make or fetch it again")
    kind = _format(head)
    if kind:
        if what := _missing_library(kind):
            raise InputError(f"{name} is {what}; or save it as PNG or JPEG first")
        return kind
    if description := _unsupported_format(head):
        raise InputError(
            f"{name} is {description}, which cannot be read: save it as PNG or JPEG first"
        )
    raise InputError(f"{name} is {_text_empty_or_other(head)}: give a {READS} file")


def explain_unreadable(path: str | Path) -> str:
    """Return why a file cannot be read as an image, by its content.

    Args:
        path: A regular file, with any suffix.

    Returns:
        A short text on its kind, without an article; empty for an image that can be read.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return "file that cannot be opened"
    if not head:
        return EMPTY
    kind = _format(head)
    if kind:
        return _missing_library(kind).partition(" ")[2]
    if description := _unsupported_format(head):
        return description.partition(" ")[2]
    description = _text_empty_or_other(head)
    if description.startswith("text"):
        return TEXT
    return (
        OTHER
        if description.startswith("not")
        else re.split(r"[,(]", description)[0].split(" ", 1)[1]
    )


def _format(head: bytes) -> str:
    """Return Pillow's name of a format that may be readable; empty if there is none."""
    for start, kind in _FORMATS:
        if re.match(start, head, re.DOTALL):
            return kind
    brands = _brands(head)
    if brands & {b"avif", b"avis"}:  # before HEIC, since both may have the brand mif1
        return "AVIF"
    if brands & _HEIF:
        return "HEIF"
    return "TGA" if _TGA.match(head) else ""


def _brands(head: bytes) -> set[bytes]:
    """Return the major and compatible brands of a file of the ISO base media format."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4]), len(head))
    offsets = [8, *range(16, end - 3, 4)]  # bytes 12 to 15 are the version of the major brand
    return {bytes(head[place : place + 4]) for place in offsets}


def _missing_library(kind: str) -> str:
    """Return which library a format needs that is not installed, as text; empty if none."""
    if kind == "HEIF":
        if importlib.util.find_spec("pillow_heif") is None:
            return "an HEIC picture, which needs pillow-heif: pip install 'impasto[heif]'"
        import pillow_heif

        pillow_heif.register_heif_opener()
        return ""
    needs = {"AVIF": "avif", "JPEG2000": "jpg_2000"}.get(kind)
    if needs is None or features.check(needs):
        return ""
    return f"a picture in {kind}, which this Pillow was built without: pip install -U pillow"


def _unsupported_format(head: bytes) -> str:
    """Return the name, with its article, of a known format that is not supported."""
    known = next((words for start, words in _FOREIGN if re.match(start, head, re.DOTALL)), "")
    return known or ("a video" if _is_transport_stream(head) else "")


def _is_transport_stream(head: bytes) -> bool:
    """Check for an MPEG transport stream, even a damaged one or one cut anywhere.

    It has no signature, but each packet begins with the same byte. A third of them is enough, if
    the byte is not common elsewhere, as in a text or a plain area of pixels.
    """
    hits = 0
    for length in _PACKETS:
        for offset in range(min(length, len(head))):
            starts = head[offset::length]
            found = starts.count(_SYNC)
            if found >= 3 and 3 * found >= len(starts):
                hits = max(hits, found)
    return 0 < head.count(_SYNC) <= 4 * hits


def _text_empty_or_other(head: bytes) -> str:
    text = head.decode("utf-8", "replace").lstrip("\ufeff").lstrip()
    if "<svg" in text:
        return "an SVG drawing, not pixels (export it as PNG)"
    if text[:15].lower().startswith(("<!doctype html", "<html")):
        return "a web page, not a picture (the download went wrong)"
    if text.startswith("version https://git-lfs"):
        return "a Git LFS pointer, not the picture itself (run git lfs pull)"
    odd = sum(not (c.isprintable() or c.isspace()) or c == "\ufffd" for c in text)
    return "text, not a picture" if text and odd <= 1 else "not a picture that can be read"
