"""Read and write bytes: paths, open files, standard input and output, and their errors."""

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

PART = ".impasto-*.part"  # pattern of the names of incomplete files
PIPE_TIMEOUT = 5.0  # seconds to wait for the first byte of a named pipe
HEAD = 4096  # bytes that suffice to recognise the format


class InputStream:
    """An open binary source with a name for messages. A context manager.

    It closes files that it has opened, and leaves the caller's file objects open.

    Args:
        source: A path, ``"-"`` for standard input, the bytes of a file, or an open binary file.

    Attributes:
        name: Name of the source for messages.

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

    def __enter__(self) -> InputStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def read(self, most: int) -> bytes:
        """Read up to `most` bytes, fewer only at the end.

        Raises:
            InputError: Reading fails, or the source is opened as text.
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
        # Tested explicitly, since systems differ in the error for opening a folder.
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
    """Check whether a path is a named pipe; pipes of the shell, ``<(...)``, are not."""
    real = os.path.realpath(path)
    return os.path.exists(real) and stat.S_ISFIFO(os.stat(real).st_mode)


def _open_pipe(path: str) -> BinaryIO:
    """Open a named pipe, with a timeout for its first byte."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not select.select([descriptor], [], [], PIPE_TIMEOUT)[0]:
        os.close(descriptor)
        raise InputError(
            f"{path} is a pipe, and nothing came out of it for {PIPE_TIMEOUT:g} seconds: start "
            f"what writes to it first, or name a file"
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
    """Return the suffix of a target's name in lower case, such as ".png"; empty if it has none."""
    if isinstance(target, str | os.PathLike):
        return Path(target).suffix.lower()
    return Path(_name_of(target)).suffix.lower()


def write(data: bytes, target: Target) -> None:
    """Write a file atomically.

    Args:
        data: Content of the file.
        target: A path, ``"-"`` for standard output, or an open binary file.

    Raises:
        InputError: The target cannot be written; an existing file stays unchanged.
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
    """Check before a long job whether a target can be written, as far as this is known.

    Raises:
        InputError: The folder does not exist, the path is a folder or write-protected; or the
            target is standard output, and that is a terminal.
    """
    if isinstance(target, str | os.PathLike):
        if os.fspath(target) == "-":
            _standard_output()
        else:
            _resolve(os.fspath(target))


def _resolve(path: str) -> str:
    if "\0" in path:
        raise InputError(f"{path!r} cannot be the name of a file: choose another")
    real = os.path.realpath(path)  # follow links, so that the file is replaced and not the link
    if os.path.isdir(real):
        raise InputError(f"{path} is a folder: add a file name, such as result.png")
    folder = os.path.dirname(real)
    if not os.path.isdir(folder):
        raise InputError(f"the folder {folder} does not exist: create it first")
    # os.replace would succeed on a write-protected file.
    if not os.access(real if os.path.exists(real) else folder, os.W_OK):
        raise InputError(f"{path} is write-protected: choose another name or folder")
    return real


def _write_path(data: bytes, path: str) -> None:
    """Write to a temporary file in the same folder, then move it to the path atomically."""
    real = _resolve(path)
    if os.path.exists(real) and not os.path.isfile(real):
        with open(real, "wb") as device:  # a pipe or a device must not be replaced
            device.write(data)
        return
    folder = os.path.dirname(real)
    # tempfile would ignore the umask: only the owner could read its files.
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
    """Return a message for an error of the operating system."""
    messages = {
        errno.ENOSPC: "the disk is full",
        getattr(errno, "EDQUOT", -1): "the disk quota is used up",
        errno.EACCES: "no permission; choose another folder",
        errno.EPERM: "no permission; choose another folder",
        errno.EROFS: "the disk is read-only; choose another folder",
        errno.ENAMETOOLONG: "the name is too long",
        errno.EPIPE: "the reader has gone",
    }
    if isinstance(error, OSError):
        return messages.get(error.errno or 0, error.strerror or str(error))
    return str(error)
