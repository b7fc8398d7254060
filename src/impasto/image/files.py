"""Bytes in and out: paths, open files, standard input and output, and what can go wrong there."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import select
import shutil
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from impasto.errors import InputError

Source = str | os.PathLike[str] | bytes | BinaryIO
Target = str | os.PathLike[str] | BinaryIO

PART = ".impasto-*.part"  # a file that is not yet whole
PATIENCE = 5.0  # seconds that a named pipe gets to give its first byte
HEAD = 4096  # enough to tell what a file is before all of it is read


class Inlet:
    """An open source of bytes with a name for messages. A context manager.

    Closes what it opened itself and leaves the caller's own file objects open.

    Args:
        source: A path, ``"-"`` for standard input, the bytes of a file, or an open binary file.

    Raises:
        InputError: The source cannot be opened.
    """

    def __init__(self, source: Source) -> None:
        self._stack = contextlib.ExitStack()
        self._stream: BinaryIO
        if isinstance(source, bytes | bytearray | memoryview):
            self.name, self._stream = "the picture in memory", io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            path = os.fspath(source)
            if path == "-":
                self.name, self._stream = "standard input", _binary(sys.stdin, "standard input")
            else:
                self.name = path
                self._stream = self._stack.enter_context(_open_path(path))
        elif hasattr(source, "read"):
            self.name, self._stream = _name_of(source), source
        else:
            raise InputError(f"cannot read a picture from a {type(source).__name__}: give a path")

    def __enter__(self) -> Inlet:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def read(self, most: int) -> bytes:
        """Read up to `most` bytes, fewer only at the end.

        Raises:
            InputError: The source fails, or gives text.
        """
        parts: list[bytes] = []
        while most > 0:
            try:
                part = self._stream.read(most)
            except (OSError, ValueError) as error:  # ValueError: the caller's file is closed
                raise InputError(f"cannot read {self.name}: {_reason(error)}") from error
            if not isinstance(part, bytes | bytearray):
                raise InputError(f"{self.name} is opened as text: open it in mode 'rb'")
            if not part:
                break
            parts.append(part)
            most -= len(part)
        return b"".join(parts)


def _open_path(path: str) -> BinaryIO:
    if path.startswith(("http://", "https://")):
        raise InputError(f"{path} is an address, not a file: download the picture first")
    try:
        # A directory is tested for in words, since systems differ in how opening one fails.
        if os.path.isdir(path):
            raise InputError(f"{path} is a folder, not a picture: name one file in it")
        return _open_pipe(path) if _is_named_pipe(path) else open(path, "rb")
    except FileNotFoundError as error:
        raise InputError(
            f"{path or repr(path)} does not exist: check the name and the folder"
        ) from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read: change its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"cannot open {path!r}: {_reason(error)}") from error


def _is_named_pipe(path: str) -> bool:
    """Whether this is a pipe that lies in a folder; one of the shell's, ``<(...)``, is not."""
    real = os.path.realpath(path)
    return os.path.exists(real) and stat.S_ISFIFO(os.stat(real).st_mode)


def _open_pipe(path: str) -> BinaryIO:
    """Open a named pipe if something comes out of it soon; to open it alone could wait forever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not select.select([descriptor], [], [], PATIENCE)[0]:
        os.close(descriptor)
        raise InputError(
            f"{path} is a pipe, and nothing came out of it for {PATIENCE:g} seconds: start what "
            f"writes to it first, or name a file"
        )
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


def _binary(stream: object, name: str) -> BinaryIO:
    buffer: BinaryIO | None = getattr(stream, "buffer", None)
    if buffer is None:
        raise InputError(f"{name} takes no binary data here: use a file")
    return buffer


def _name_of(stream: object) -> str:
    name = getattr(stream, "name", None)
    return name if isinstance(name, str) and name else "the given file object"


def suffix_of(target: Target) -> str:
    """The ending of a target's name, in lower case: ".png"; empty when it has none."""
    if isinstance(target, str | os.PathLike):
        return Path(target).suffix.lower()
    return Path(_name_of(target)).suffix.lower()


def write(data: bytes, target: Target) -> None:
    """Write a whole file, or nothing.

    Args:
        data: The file's content.
        target: A path, ``"-"`` for standard output, or an open binary file.

    Raises:
        InputError: The target cannot be written; a file of that name stays as it was.
    """
    if not isinstance(target, str | os.PathLike):
        _write_stream(data, target, _name_of(target))
    elif os.fspath(target) == "-":
        _write_stream(data, _standard_output(), "standard output")
    else:
        path = os.fspath(target)
        try:
            _write_path(data, path)
        except (OSError, ValueError) as error:
            raise InputError(f"cannot write {path}: {_reason(error)}") from error


def _standard_output() -> BinaryIO:
    if sys.stdout is not None and sys.stdout.isatty():
        raise InputError("a picture is no text for a terminal: redirect it with > or |")
    return _binary(sys.stdout, "standard output")


def _write_stream(data: bytes, stream: BinaryIO, name: str) -> None:
    try:
        stream.write(data)
        stream.flush()
    except TypeError as error:
        raise InputError(f"{name} is opened as text: open it in mode 'wb'") from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write to {name}: {_reason(error)}") from error


def check(target: Target) -> None:
    """Find out before the work whether a path can be written, as far as one can know.

    Raises:
        InputError: Its folder does not exist, or it is a folder, or it is write-protected; or it
            is standard output, and that is a terminal.
    """
    if isinstance(target, str | os.PathLike):
        if os.fspath(target) == "-":
            _standard_output()
        else:
            _resolve(os.fspath(target))


def _resolve(path: str) -> str:
    if "\0" in path:
        raise InputError(f"{path!r} cannot be the name of a file: choose another")
    real = os.path.realpath(path)  # through a link, so that the link stays and its file changes
    if os.path.isdir(real):
        raise InputError(f"{path} is a folder: add a file name, such as result.png")
    folder = os.path.dirname(real)
    if not os.path.isdir(folder):
        raise InputError(f"the folder {folder} does not exist: create it first")
    # A move onto a protected file would succeed all the same.
    if not os.access(real if os.path.exists(real) else folder, os.W_OK):
        raise InputError(f"{path} is write-protected: choose another name or folder")
    return real


def _write_path(data: bytes, path: str) -> None:
    """Write beside the target, then move into place: the move is one step for every observer."""
    real = _resolve(path)
    if os.path.exists(real) and not os.path.isfile(real):
        with open(real, "wb") as device:  # a pipe or a device: no file must take its place
            device.write(data)
        return
    folder = os.path.dirname(real)
    # Not tempfile: that makes files which only their owner can read, whatever the umask says.
    part = os.path.join(folder, PART.replace("*", secrets.token_hex(6)))
    try:
        with open(part, "xb") as file:
            file.write(data)
        if os.path.exists(real):
            with contextlib.suppress(OSError):
                shutil.copymode(real, part)
        os.replace(part, real)
    except BaseException:  # KeyboardInterrupt as well
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _reason(error: Exception) -> str:
    """What an error of the system means to a person."""
    words = {
        errno.ENOSPC: "the disk is full",
        getattr(errno, "EDQUOT", -1): "the disk quota is used up",
        errno.EACCES: "no permission; choose another folder",
        errno.EPERM: "no permission; choose another folder",
        errno.EROFS: "the disk is read-only; choose another folder",
        errno.ENAMETOOLONG: "the name is too long",
        errno.EPIPE: "the reader has gone",
    }
    if isinstance(error, OSError):
        return words.get(error.errno or 0, error.strerror or str(error))
    return str(error)
