"""Test the settings of the C library's allocator."""

import pytest

from impasto.core import memory


@pytest.fixture
def mallopt(monkeypatch):
    """Notes what the allocator is told, and does not tell it."""
    told = []

    class Library:
        def __init__(self, _):
            pass

        @staticmethod
        def mallopt(option, value):
            told.append((option, value))
            return 1

        @staticmethod
        def malloc_trim(pad):
            told.append(("trim", pad))

    monkeypatch.delenv("IMPASTO_ALLOCATOR", raising=False)
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(memory.ctypes, "CDLL", Library)
    before = memory.keep_large_blocks.__wrapped__
    monkeypatch.setattr(memory, "keep_large_blocks", memory.cache(before))
    return told


def test_glibc_is_told_once(mallopt):
    assert memory.keep_large_blocks()
    assert memory.keep_large_blocks()
    assert mallopt == [(-4, 0), (-1, -1)]  # M_MMAP_MAX, M_TRIM_THRESHOLD of malloc.h


def test_kept_blocks_are_given_back_where_memory_is_short(mallopt):
    with memory.spare_memory():
        assert mallopt == []  # nothing was kept
    memory.keep_large_blocks()
    kept = list(mallopt)
    with memory.spare_memory():
        assert mallopt[2:] == [(-4, 65536), (-3, 1 << 20), (-1, 1 << 20), ("trim", 0)]
    assert mallopt[6:] == [("trim", 0), *kept]


def test_the_allocator_is_left_alone_on_request(mallopt, monkeypatch):
    monkeypatch.setenv("IMPASTO_ALLOCATOR", "system")
    assert not memory.keep_large_blocks()
    assert mallopt == []


@pytest.mark.parametrize("libc", [("", ""), ("musl", "1.2")])
def test_other_allocators_are_left_alone(mallopt, monkeypatch, libc):
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: libc)
    assert not memory.keep_large_blocks()
    assert mallopt == []


def test_a_library_without_mallopt_is_left_alone(mallopt, monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert not memory.keep_large_blocks()
