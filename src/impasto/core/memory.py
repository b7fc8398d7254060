"""Set when the C library's allocator keeps freed memory and when it returns it to the system."""

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

    Each step of an optimisation frees its activations and allocates them again. For blocks of
    32 MiB and more, glibc maps new pages each time, and the page faults cost more than the
    arithmetic of a ReLU: for a 512x512 image they were a third of the encoder's time. The setting
    holds for the whole process and is made once; ``IMPASTO_ALLOCATOR=system`` in the environment
    leaves the allocator alone.

    Returns:
        Whether the allocator was changed.
    """
    mallopt = _mallopt()
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1))  # -1: never trim


@contextmanager
def spare_memory() -> Iterator[None]:
    """Return freed blocks to the system inside the context, whatever :func:`keep_large_blocks` set.

    For images that are processed in strips because the whole does not fit: kept blocks of many
    sizes fragment the heap. A 4096x4096 image through Johnson's network in strips takes 1.3 GB at
    its peak this way, and 2.3 GB if freed blocks are kept.
    """
    mallopt = _mallopt() if keep_large_blocks.cache_info().currsize else None
    if mallopt is None or not keep_large_blocks():
        yield
        return
    mallopt(_M_MMAP_MAX, 65536)  # glibc's default
    mallopt(_M_MMAP_THRESHOLD, 1 << 20)
    mallopt(_M_TRIM_THRESHOLD, 1 << 20)
    ctypes.CDLL(None).malloc_trim(0)
    try:
        yield
    finally:
        ctypes.CDLL(None).malloc_trim(0)
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)


def _mallopt() -> Any:
    """Return glibc's function ``mallopt``, or None where it is missing or must not be used."""
    if platform.libc_ver()[0] != "glibc" or os.environ.get("IMPASTO_ALLOCATOR") == "system":
        return None
    return getattr(ctypes.CDLL(None), "mallopt", None)
