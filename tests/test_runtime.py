"""The choice of device and number format, and the switches that hold for the process."""

import pytest
import torch

from impasto import runtime
from impasto.errors import InputError
from impasto.runtime import Runtime, choose, keep_large_blocks, matrix_products


@pytest.fixture
def processor(monkeypatch):
    """A machine with a processor only; call it to say whether bfloat16 is native."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    def has(avx512=False, amx=False):
        probes = {"_is_avx512_bf16_supported": avx512, "_is_amx_tile_supported": amx}
        for probe, answer in probes.items():
            monkeypatch.setattr(torch.cpu, probe, lambda answer=answer: answer, raising=False)

    has()
    return has


@pytest.mark.parametrize(
    ("avx512", "amx", "dtype"),
    [
        (False, False, torch.float32),
        (True, False, torch.bfloat16),
        (False, True, torch.bfloat16),
        (True, True, torch.bfloat16),
    ],
)
def test_auto_is_bfloat16_where_it_is_native(processor, avx512, amx, dtype):
    processor(avx512, amx)
    assert choose() == Runtime(torch.device("cpu"), dtype)


def test_a_torch_without_the_probes_is_float32(processor, monkeypatch):
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, probe)
    assert choose().dtype == torch.float32


@pytest.mark.parametrize("native", [False, True])
def test_the_caller_decides(processor, native):
    processor(native, native)
    assert choose("cpu", "float32").dtype == torch.float32
    assert choose("cpu", "bfloat16").dtype == torch.bfloat16


@pytest.mark.parametrize(("cuda", "mps", "name"), [(1, 0, "cuda"), (0, 1, "mps"), (1, 1, "cuda")])
def test_auto_prefers_an_accelerator(monkeypatch, cuda, mps, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cuda))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: bool(mps))
    assert choose("auto", "float32").device == torch.device(name)


@pytest.mark.parametrize("native", [False, True])
def test_a_gpu_is_asked_whether_it_has_bfloat16(monkeypatch, native):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert choose().dtype == (torch.bfloat16 if native else torch.float32)


def test_mps_is_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose() == Runtime(torch.device("mps"), torch.float32)


@pytest.mark.parametrize("device", ["", "gpu", "cuda:99", "cpu:x", "hpu", "privateuseone", "meta"])
def test_a_device_that_is_not_here_is_an_error_of_one_line(device):
    with pytest.raises(InputError, match="try cpu, cuda or mps") as caught:
        choose(device)
    assert repr(device) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("precision", ["", "float16", "half", "Float32"])
def test_an_unknown_precision_is_an_error(precision):
    with pytest.raises(InputError, match="auto, float32, bfloat16"):
        choose("cpu", precision)


def test_describe():
    assert choose("cpu", "bfloat16").describe() == "cpu, bfloat16"
    assert Runtime(torch.device("cuda:1"), torch.float32).describe() == "cuda:1, float32"


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
    monkeypatch.setattr(runtime.platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(runtime.ctypes, "CDLL", Library)
    before = keep_large_blocks.__wrapped__
    monkeypatch.setattr(runtime, "keep_large_blocks", runtime.cache(before))
    return told


def test_glibc_is_told_once(mallopt):
    assert runtime.keep_large_blocks()
    assert runtime.keep_large_blocks()
    assert mallopt == [(-4, 0), (-1, -1)]  # M_MMAP_MAX, M_TRIM_THRESHOLD of malloc.h


def test_kept_blocks_are_given_back_where_memory_is_short(mallopt):
    with runtime.spare_memory():
        assert mallopt == []  # nothing was kept
    runtime.keep_large_blocks()
    kept = list(mallopt)
    with runtime.spare_memory():
        assert mallopt[2:] == [(-4, 65536), (-3, 1 << 20), (-1, 1 << 20), ("trim", 0)]
    assert mallopt[6:] == kept


def test_the_allocator_is_left_alone_on_request(mallopt, monkeypatch):
    monkeypatch.setenv("IMPASTO_ALLOCATOR", "system")
    assert not runtime.keep_large_blocks()
    assert mallopt == []


@pytest.mark.parametrize("libc", [("", ""), ("musl", "1.2")])
def test_other_allocators_are_left_alone(mallopt, monkeypatch, libc):
    monkeypatch.setattr(runtime.platform, "libc_ver", lambda: libc)
    assert not runtime.keep_large_blocks()
    assert mallopt == []


def test_a_library_without_mallopt_is_left_alone(mallopt, monkeypatch):
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda _: object())
    assert not runtime.keep_large_blocks()


@pytest.mark.skipif(not hasattr(torch.backends.mkldnn, "matmul"), reason="an older PyTorch")
def test_fast_products_end_where_they_began():
    settings = torch.backends.mkldnn.matmul
    before = settings.fp32_precision
    with matrix_products(fast=False):
        assert settings.fp32_precision == before
    with matrix_products(fast=True):
        assert settings.fp32_precision == "bf16"
        with matrix_products(fast=True):
            pass
        assert settings.fp32_precision == "bf16"
    assert settings.fp32_precision == before
    with pytest.raises(ZeroDivisionError), matrix_products(fast=True):
        _ = 1 / 0
    assert settings.fp32_precision == before
