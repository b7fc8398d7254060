"""Keep a list of results in the visitor's own browser: thumbnails, and the settings of the form.

The server stores nothing of it. What comes back from a browser is checked like any other request.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from impasto.api.inputs import resize_long_edge
from impasto.errors import InputError
from impasto.image import Image

STORAGE = "impasto-history"  # name of the list in the browser's storage
_ENTRIES = 20  # results in the list, at most
_BYTES = 400_000  # bytes of the list as JSON, at most
_EDGE = 144  # long edge of a thumbnail in pixels
_TEXT = 200  # characters of a text in an entry, at most

_THUMBNAIL = re.compile(r"data:image/jpeg;base64,([A-Za-z0-9+/]{1,24000}={0,2})")
_FILE = re.compile(r"[0-9a-f]{32}/[\w.-]{1,120}")  # in a folder that cannot be guessed

EMPTY = (
    '<p class="past-empty">Your results will be listed here, the newest first. The list is kept in '
    "this browser only.</p>"
)

Entry = dict[str, Any]


def entry(
    picture: Image,
    text: str,
    photo: str,
    own: Sequence[str],
    form: Mapping[str, Any],
    files: Sequence[Path],
) -> Entry:
    """Describe a result.

    Args:
        picture: The result.
        text: Style, method and size in plain text.
        photo: Name of the photo's file.
        own: Names of the files of the visitor's own paintings.
        form: The values of the form.
        files: The photo and the result for the page, and the result for download; each in a folder
            of :func:`impasto.studio.files.random_folder`.
    """
    out = BytesIO()
    small = resize_long_edge(picture, _EDGE, None) if max(picture.size) > _EDGE else picture
    small.pil().convert("RGB").save(out, "JPEG", quality=70)
    return {
        "id": secrets.token_hex(8),
        "thumbnail": f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}",
        "text": text[:_TEXT],
        "photo": photo[:_TEXT],
        "own": [name[:_TEXT] for name in own],
        "form": dict(form),
        "files": [f"{path.parent.name}/{path.name}" for path in files],
    }


def add(new: Any, stored: Any) -> list[Entry]:
    """Add a result to the list, and drop the oldest ones that exceed the limits.

    Args:
        new: The entry; None, or one that is there, changes nothing.
        stored: The list from the browser.
    """
    result = checked(stored)
    if new is not None and new["id"] not in {one["id"] for one in result}:
        result = [new, *result][:_ENTRIES]
    while len(result) > 1 and len(json.dumps(result)) > _BYTES:
        result.pop()
    return result


def checked(stored: Any) -> list[Entry]:
    """Return the valid entries of a list that a browser sends; any value is accepted."""
    entries = stored[:_ENTRIES] if isinstance(stored, list) else []
    return [one for one in entries if _is_entry(one)]


def thumbnail_bytes(found: Entry) -> bytes:
    """Return the JPEG file of an entry's thumbnail.

    Raises:
        InputError: It is damaged.
    """
    match = _THUMBNAIL.fullmatch(found["thumbnail"])
    try:
        return base64.b64decode(match[1] if match else "", validate=True)
    except ValueError as error:
        raise InputError("this thumbnail is damaged: clear the list") from error


def stored_files(found: Entry, folder: Path) -> list[Path] | None:
    """Return the files of an entry; None if one of them has been deleted."""
    paths = [folder / name for name in found["files"]]
    return paths if all(path.is_file() for path in paths) else None


def as_html(stored: Any) -> str:
    """Return the list as HTML: a button for each entry, with its index."""
    entries = checked(stored)
    if not entries:
        return EMPTY
    items = (
        f'<li><button type="button" data-index="{index}"><img src="{one["thumbnail"]}" alt="">'
        f"<span>{_escaped(one['text'])}</span><small>{_escaped(one['photo'])}</small></button></li>"
        for index, one in enumerate(entries)
    )
    return f'<ol class="past">{"".join(items)}</ol>'


def _is_entry(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("form"), dict):
        return False
    texts = [value.get(name) for name in ("id", "text", "photo")]
    own, files = value.get("own"), value.get("files")
    if not isinstance(own, list) or not isinstance(files, list) or len(files) != 3:
        return False
    short = all(isinstance(one, str) and len(one) <= _TEXT for one in (*texts, *own))
    known = all(isinstance(one, str) and _FILE.fullmatch(one) for one in files)
    thumbnail = value.get("thumbnail")
    shown = isinstance(thumbnail, str) and _THUMBNAIL.fullmatch(thumbnail)
    return bool(short and known and shown)


def _escaped(text: str) -> str:
    # the braces and dollars of a template, too
    return re.sub(r"[{}$`\\]", lambda at: f"&#{ord(at[0])};", escape(text))
