"""The network: its layers by name, each option, and its first layers in plain NumPy."""

from importlib import resources

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from safetensors.torch import load_file, save_file
from scipy.signal import correlate2d

from impasto.core.device import choose
from impasto.errors import InputError, WeightsError
from impasto.nn import vgg_state, vgg_weights
from impasto.nn.vgg import PADDINGS, POOLINGS, Encoder, pool
from impasto.nn.vgg_layers import BLOCKS, block_of, layer_names, smallest_side

MEAN = np.array([123.68, 116.779, 103.939])  # red, green, blue: of ImageNet
NUMPY_PADDINGS = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


@pytest.fixture(scope="module")
def raw():
    """The installed weights as NumPy arrays: raw("conv1_1") is (weight, bias)."""
    state = torch.load(vgg_weights.entry("vgg19-caffe-q8").path, weights_only=True)

    def convolution(name):
        key = f"block{name[4]}_conv{name[6]}"
        table, indices = state[f"{key}_W_table"].double().numpy(), state[f"{key}_W_q"].numpy()
        return table[indices], state[f"{key}_b"].double().numpy()

    return convolution


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A VGG-16 of four channels a layer: tiny(flavor=...) is an encoder of random weights."""
    monkeypatch.setattr(vgg_state, "WIDTHS", (4,) * 5)
    generator = torch.Generator().manual_seed(0)
    state, previous = {}, 3
    for name in layer_names("vgg16"):
        if name.startswith("conv"):
            state[f"{name}.weight"] = torch.randn(4, previous, 3, 3, generator=generator) / 4
            state[f"{name}.bias"] = torch.randn(4, generator=generator)
            previous = 4
    save_file(state, tmp_path / "tiny.safetensors")
    return lambda **options: Encoder("vgg16", weights=tmp_path / "tiny.safetensors", **options)


def caffe_input(image):
    """What the Caffe network was trained on, (3, H, W): blue first, 0 to 255, less the mean."""
    pixels = image[0].double().numpy().transpose(1, 2, 0) * 255 - MEAN
    return pixels[..., ::-1].transpose(2, 0, 1)


def plain_convolution(x, weight, bias, padding="zeros"):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode=NUMPY_PADDINGS[padding])
    windows = sliding_window_view(padded, (3, 3), axis=(1, 2))  # (C, H, W, 3, 3)
    return np.einsum("chwij,ocij->ohw", windows, weight, optimize=True) + bias[:, None, None]


def plain_pool(x, kind):
    channels, height, width = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    cells = x.reshape(channels, height // 2, 2, width // 2, 2)
    if kind == "max":
        return cells.max((2, 4))
    return cells.mean((2, 4)) if kind == "average" else np.sqrt((cells**2).mean((2, 4)))


def close(found, expected, tolerance=1e-5):
    """Within a part of the largest value, as sums in float32 are."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


# names


def test_layer_names_of_vgg19():
    names = layer_names("vgg19")
    assert len(names) == 2 * 16 + 5
    assert len(set(names)) == len(names)
    assert names[:6] == ("conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1", "conv2_1")
    assert names[-3:] == ("conv5_4", "relu5_4", "pool5")
    # Torch's numbers less one, as FACTS and torchvision's `features` count
    numbers = {
        "relu1_1": 1,
        "relu2_1": 6,
        "relu3_1": 11,
        "relu4_1": 20,
        "relu4_2": 22,
        "relu5_1": 29,
    }
    assert {name: names.index(name) for name in numbers} == numbers


def test_layer_names_of_vgg16():
    names = layer_names("vgg16")
    assert len(names) == 2 * 13 + 5
    numbers = {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22}
    assert {name: names.index(name) for name in numbers} == numbers
    assert "conv3_4" not in names


def test_block_of():
    assert [block_of(name) for name in ("conv1_2", "relu4_1", "pool5")] == [1, 4, 5]
    with pytest.raises(InputError, match="relu_4"):
        block_of("relu_4")


@pytest.mark.parametrize("arch", BLOCKS)
def test_shapes_of_all_layers(arch, encoder, tiny, photo):
    network = encoder if arch == "vgg19" else tiny()
    features = network(photo(64, 70), network.layers)
    assert tuple(features) == layer_names(arch)
    for name, value in features.items():
        shrink = block_of(name) - (0 if name.startswith("pool") else 1)
        width = (64, 128, 256, 512, 512)[block_of(name) - 1] if arch == "vgg19" else 4
        assert value.shape == (1, width, 64 >> shrink, 70 >> shrink)


# what is computed


def test_the_input_is_blue_first_less_the_mean(encoder, photo):
    image = photo(5, 6)
    close(encoder.preprocess(image)[0], caffe_input(image), 1e-6)
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    expected = [-103.939, -116.779, 255 - 123.68]
    np.testing.assert_allclose(encoder.preprocess(red).flatten(), expected, rtol=1e-6)


def test_the_torchvision_input(tiny, photo):
    network, image = tiny(flavor="torchvision"), photo(5, 6)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (image[0].numpy() - mean[:, None, None]) / std[:, None, None]
    close(network.preprocess(image)[0], expected, 1e-6)


def test_relu1_1_by_scipy(encoder, raw, photo):
    image = photo(12, 14)
    weight, bias = raw("conv1_1")
    x = caffe_input(image)
    expected = [
        sum(correlate2d(x[c], weight[o, c], mode="same") for c in range(3)) + bias[o]
        for o in range(64)
    ]
    features = encoder(image, ["relu1_1", "conv1_1"])
    close(features["conv1_1"][0], expected)
    close(features["relu1_1"][0], np.maximum(expected, 0))


@pytest.mark.parametrize(
    ("padding", "pooling"), list(zip(PADDINGS, (*POOLINGS, POOLINGS[0]), strict=True))
)
def test_the_first_layers_by_numpy(padding, pooling, raw, photo):
    image = photo(11, 14)  # an odd side: the last row is dropped
    network = Encoder(padding=padding, pooling=pooling, depth="relu2_1")
    found = network(image, ["conv1_2", "pool1", "relu2_1"])
    x = np.maximum(plain_convolution(caffe_input(image), *raw("conv1_1"), padding), 0)
    x = plain_convolution(x, *raw("conv1_2"), padding)
    close(found["conv1_2"][0], x)
    x = plain_pool(np.maximum(x, 0), pooling)
    close(found["pool1"][0], x)
    x = np.maximum(plain_convolution(x, *raw("conv2_1"), padding), 0)
    close(found["relu2_1"][0], x)


@pytest.mark.parametrize("kind", POOLINGS)
def test_pool(kind):
    x = torch.randn(2, 3, 7, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for picture, pooled in zip(x, pool(x, kind), strict=True):
        np.testing.assert_allclose(pooled, plain_pool(picture.numpy(), kind), rtol=1e-6)
    assert torch.autograd.gradcheck(lambda x: pool(x, kind), (x[:1, :1].requires_grad_(),))


def test_l2_pooling_of_nothing_has_a_finite_gradient():
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(pool(x, "l2").sum(), x)
    assert torch.isfinite(gradient).all()


def test_circular_padding_knows_no_border(photo):
    network, image = Encoder(padding="circular", depth="relu3_1"), photo(32, 40)
    rolled = network(image.roll((4, 8), (2, 3)), ["relu3_1"])["relu3_1"]
    expected = network(image, ["relu3_1"])["relu3_1"].roll((1, 2), (2, 3))
    close(rolled, expected)


def test_the_gradient_reaches_the_image(tiny):
    network = tiny(pooling="average").double()
    image = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def features(x):
        found = network(x, ["conv1_1", "relu1_1", "relu2_2"])
        return tuple(found.values())

    assert torch.autograd.gradcheck(features, (image.requires_grad_(),))
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.training


# what is asked for


def test_a_convolution_asked_for_is_not_overwritten(encoder, photo):
    image = photo(16, 16)
    both = encoder(image, ["relu1_2", "conv1_2"])
    assert both["conv1_2"].min() < 0
    assert torch.equal(both["relu1_2"], both["conv1_2"].clamp(0))
    for name in both:
        assert torch.equal(encoder(image, [name])[name], both[name])


def test_what_runs_on_does_not_change_what_was_given(encoder, photo):
    image = photo(32, 32)
    before = image.clone()
    shallow = ("conv1_1", "relu1_1", "relu1_2", "pool1", "conv2_1", "relu2_1", "relu2_2")
    together = encoder(image, [*shallow, "relu3_1"])
    for name in shallow:
        assert torch.equal(encoder(image, [name])[name], together[name])
    assert torch.equal(image, before)


def test_order_and_duplicates_do_not_matter(encoder, photo):
    image = photo(16, 16)
    features = encoder(image, ["relu2_1", "relu1_1", "relu2_1"])
    assert sorted(features) == ["relu1_1", "relu2_1"]
    assert encoder(image, []) == {}


def test_a_batch_is_its_pictures(encoder, photo):
    crops = ((name, 50, 90) for name in ("astronaut", "coffee", "chelsea"))
    images = torch.cat([photo(24, 20, *crop) for crop in crops])
    batch = encoder(images, ["relu1_1", "relu3_1"])
    for name, value in batch.items():
        each = [encoder(images[i : i + 1], [name])[name] for i in range(3)]
        close(value, torch.cat(each))


@pytest.mark.parametrize("layer", ["relu1", "relu6_1", "conv3_5", "RELU1_1", "", "input"])
def test_an_unknown_layer_is_refused(encoder, photo, layer):
    with pytest.raises(InputError, match="unknown layer") as caught:
        encoder(photo(16, 16), ["relu1_1", layer])
    assert repr(layer) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_depth_keeps_no_more_than_needed(encoder, photo):
    network, image = Encoder(depth="relu2_1"), photo(16, 20)
    assert list(network.convolutions) == ["conv1_1", "conv1_2", "conv2_1"]
    found = network(image, ["relu2_1"])["relu2_1"]
    assert torch.equal(found, encoder(image, ["relu2_1"])["relu2_1"])
    with pytest.raises(InputError, match="up to relu2_1"):
        network(image, ["conv2_2"])
    with pytest.raises(InputError, match="relu7_1"):
        Encoder(depth="relu7_1")


# sizes


@pytest.mark.parametrize(
    ("padding", "layer"),
    [
        *[("zeros", name) for b in range(1, 6) for name in (f"relu{b}_2", f"pool{b}")],
        *[(padding, "relu5_2") for padding in PADDINGS if padding != "zeros"],
    ],
)
def test_the_smallest_side_works_and_one_less_does_not(tiny, padding, layer):
    network, side = tiny(padding=padding), smallest_side(layer)
    assert min(network(torch.rand(1, 3, side, side + 1), [layer])[layer].shape[-2:]) == 2
    for height, width in ((side - 1, side), (side, side - 1)):
        with pytest.raises(InputError, match="too small") as caught:
            network(torch.rand(1, 3, height, width), ["relu1_1", layer])
        words = str(caught.value)
        assert f"{width}x{height}" in words
        assert layer in words
        assert f"at least {side} pixels" in words


# number formats


def test_bfloat16_is_near_float32(encoder, photo):
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
    half, image = Encoder(depth="relu4_1"), photo(48, 64)
    assert half.to_runtime(choose("cpu", "bfloat16")) is half
    for name, value in half(image, layers).items():
        assert value.dtype == torch.bfloat16
        expected = encoder(image, [name])[name]
        assert (value.float() - expected).norm() < 0.015 * expected.norm()


def test_placing_one_encoder_leaves_the_others(photo):
    """They share the weights that were read once."""
    first, image = Encoder(depth="relu1_1"), photo(16, 16)
    before = first(image, ["relu1_1"])["relu1_1"]
    Encoder(depth="relu1_1").to_runtime(choose("cpu", "bfloat16"))
    after = first(image, ["relu1_1"])["relu1_1"]
    assert after.dtype == torch.float32
    assert torch.equal(after, before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_images_of_any_float_format(encoder, photo, dtype):
    image = photo(16, 16)
    features = encoder(image.to(dtype), ["relu1_1"])["relu1_1"]
    assert features.dtype == torch.float32
    close(features, encoder(image, ["relu1_1"])["relu1_1"], 0.02)


# flavours


@pytest.fixture(scope="module")
def means():
    file = resources.files("impasto") / "data" / "vgg19-mean-activations.safetensors"
    with resources.as_file(file) as path:
        return load_file(path)


def test_the_measured_means_are_positive_and_complete(means):
    convolutions = [name for name in layer_names("vgg19") if name.startswith("conv")]
    assert sorted(means) == sorted(convolutions)
    for name, mean in means.items():
        assert mean.shape == ((64, 128, 256, 512, 512)[block_of(name) - 1],)
        assert mean.dtype == torch.float32
        assert mean.min() >= 0.0099 * mean.mean()  # the floor for filters that hardly fire


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_normalised_is_caffe_up_to_a_factor_a_channel(means, photo, pooling):
    layers = ["conv1_1", "relu1_2", "pool2", "relu3_1", "relu4_1", "conv5_1"]
    image = photo(48, 64)
    caffe, normalised = (
        Encoder(flavor=flavor, pooling=pooling, depth="conv5_1")(image, layers)
        for flavor in ("caffe", "normalised")
    )
    last = {"pool2": "conv2_2"}
    for name in layers:
        mean = means[last.get(name, name.replace("relu", "conv"))].view(-1, 1, 1)
        close(normalised[name] * mean, caffe[name], 2e-5)


def test_normalised_activations_are_of_order_one(photo):
    network = Encoder(flavor="normalised", pooling="average")
    layers = [name for name in network.layers if name.startswith("relu")]
    for name, value in network(photo(192, 192, "coffee", 100, 200), layers).items():
        mean = value.mean((0, 2, 3))
        assert 0.3 < mean.mean() < 3, name
        if block_of(name) < 5:  # there most filters are silent on any one picture
            assert 0.2 < mean.median() < 2, name


def test_normalised_is_measured_for_vgg19_only(tiny):
    with pytest.raises(InputError, match="vgg19 only"):
        tiny(flavor="normalised")


@pytest.mark.parametrize(
    ("name", "flavor"),
    [
        ("vgg19-torchvision", "caffe"),
        ("vgg19-torchvision", "normalised"),
        ("vgg19-caffe-q8", "torchvision"),
    ],
)
def test_named_weights_want_their_own_preprocessing(name, flavor):
    with pytest.raises(InputError, match=f"{name} want the flavour .*, not {flavor}"):
        Encoder(flavor=flavor, weights=name)


def test_the_torchvision_flavour_takes_its_own_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="vgg19-torchvision"):
        Encoder(flavor="torchvision")


@pytest.mark.parametrize("option", ["arch", "flavor", "pooling", "padding"])
def test_unknown_options_list_the_known(option):
    known = {"arch": "vgg16", "flavor": "caffe", "pooling": "average", "padding": "reflect"}
    with pytest.raises(InputError, match=known[option]) as caught:
        Encoder(**{option: "best"})
    assert "'best'" in str(caught.value)
    assert "\n" not in str(caught.value)
