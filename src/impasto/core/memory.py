"""Tell the C library's allocator when to keep freed memory and when to return it."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4  # glibc, malloc.h


@cache
def keep_large_blocks() -> bool:
    """Let glibc keep freed blocks of tens of megabytes instead of returning them at once.

    A step of an optimisation frees and asks again for the same activations. From 32 MiB on, glibc
    maps fresh pages each time, and the page faults cost more than the arithmetic of a ReLU: on a
    512x512 picture they were a third of the encoder's time. Process-wide, done once; set
    ``IMPASTO_ALLOCATOR=system`` to leave the allocator alone.

    Returns:
        Whether the allocator was changed.
    """
    mallopt = _mallopt()
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1))  # -1: never trim


@contextmanager
def spare_memory() -> Iterator[None]:
    """Give freed blocks back to the system while inside, whatever :func:`keep_large_blocks` did.

    For work that goes in strips because the whole does not fit: kept blocks of many sizes are a
    heap full of holes. A 4096x4096 picture through Johnson's network in strips takes 1.3 GB at its
    peak this way, and 2.3 GB with its blocks kept.
    """
    mallopt = _mallopt() if keep_large_blocks.cache_info().currsize else None
    if mallopt is None or not keep_large_blocks():
        yield
        return
    mallopt(_M_MMAP_MAX, 65536)  # glibc's own numbers
    mallopt(_M_MMAP_THRESHOLD, 1 << 20)
    mallopt(_M_TRIM_THRESHOLD, 1 << 20)
    ctypes.CDLL(None).malloc_trim(0)
    try:
        yield
    finally:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)


def _mallopt() -> Any:
    """The knob of glibc of that name, where it is to be turned."""
    if platform.libc_ver()[0] != "glibc" or os.environ.get("IMPASTO_ALLOCATOR") == "system":
        return None
    return getattr(ctypes.CDLL(None), "mallopt", None)
