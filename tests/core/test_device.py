"""The choice of device and number format, and the switches that hold for the process."""

import pytest
import torch

from impasto.core.device import Runtime, choose, matrix_products
from impasto.errors import InputError


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
