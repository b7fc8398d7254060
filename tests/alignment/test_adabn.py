"""Adaptive batch norm: digits under another light, closed forms, and what must not change."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from sklearn.datasets import load_digits
from torch import nn

from impasto.alignment.adabn import adapt
from impasto.errors import InputError
from impasto.nn.johnson import TransformNet

SEEDS = range(3)


def in_other_light(pictures):
    """Low contrast on a bright ground that brightens downwards, and a little out of focus."""
    blurred = ndimage.gaussian_filter(pictures.numpy(), (0, 0, 0.4, 0.4))
    ground = 0.5 + 0.15 * np.linspace(0, 1, 8).reshape(1, 1, 8, 1)
    return torch.from_numpy(0.3 * blurred + ground).float()


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, padding_mode="replicate"),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1, padding_mode="replicate"),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32 * 4 * 4, 10),
    )


def perceptron():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


class Learned:
    """A classifier that has seen half of the digits, and the halves."""

    def __init__(self, build, seed):
        digits = load_digits()
        pictures = torch.from_numpy(digits.images / 16).float().unsqueeze(1)  # (1797, 1, 8, 8)
        labels = torch.from_numpy(digits.target)
        torch.manual_seed(seed)
        order = torch.randperm(len(labels))
        self.seen, self.unseen = pictures[order[:900]], pictures[order[900:]]
        self.seen_labels, self.labels = labels[order[:900]], labels[order[900:]]
        self.module = build()
        adam = torch.optim.Adam(self.module.parameters(), 3e-3)
        for _ in range(8):
            for part in torch.randperm(900).split(60):
                adam.zero_grad()
                F.cross_entropy(self.module(self.seen[part]), self.seen_labels[part]).backward()
                adam.step()
        self.module.eval()


_LEARNED = {}


def learned(build=convolutional, seed=0):
    """Trained once; tests may not change it, and one of them asserts that `adapt` does not."""
    if (build, seed) not in _LEARNED:
        _LEARNED[build, seed] = Learned(build, seed)
    return _LEARNED[build, seed]


@torch.no_grad()
def accuracy(module, pictures, labels):
    return (module(pictures).argmax(1) == labels).float().mean().item()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("build", [convolutional, perceptron])
def test_digits_are_read_again_in_another_light(build, seed):
    it = learned(build, seed)
    dim = in_other_light(it.unseen)
    source = accuracy(it.module, it.unseen, it.labels)
    before = accuracy(it.module, dim, it.labels)
    after = accuracy(adapt(it.module, dim.split(100)), dim, it.labels)
    assert source > 0.93
    assert before < 0.6
    assert after > 0.9
    assert after > source - 0.05
    assert after - before > 0.4


def test_pictures_that_the_statistics_never_saw_are_read_too():
    it = learned()
    adapted = adapt(it.module, in_other_light(it.seen).split(100))
    assert accuracy(adapted, in_other_light(it.unseen), it.labels) > 0.9


def test_target_like_source_changes_next_to_nothing():
    it = learned()
    adapted = adapt(it.module, it.seen.split(100))
    agree = accuracy(adapted, it.unseen, it.module(it.unseen).argmax(1))
    assert agree > 0.98
    for before, after in zip(norms(it.module), norms(adapted), strict=True):
        torch.testing.assert_close(after.running_var, before.running_var, rtol=0.2, atol=0.02)
        spread = before.running_var.sqrt()
        assert ((after.running_mean - before.running_mean).abs() / spread).max() < 0.2


def norms(module):
    return [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]


def test_statistics_of_one_batch_are_mean_and_unbiased_variance_of_the_target():
    it = learned()
    dim = in_other_light(it.unseen)
    first = norms(adapt(it.module, [dim]))[0]
    values = it.module[0](dim).detach().double().numpy()  # (897, 16, 8, 8)
    np.testing.assert_allclose(first.running_mean, values.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(first.running_var, values.var((0, 2, 3), ddof=1), rtol=1e-4)


def test_statistics_of_the_perceptron_too():
    it = learned(perceptron)
    dim = in_other_light(it.unseen)
    first = norms(adapt(it.module, [dim]))[0]
    values = it.module[:2](dim).detach().double().numpy()  # (897, 64)
    np.testing.assert_allclose(first.running_mean, values.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(first.running_var, values.var(0, ddof=1), rtol=1e-4)


def test_batches_count_by_their_size():
    it = learned()
    dim = in_other_light(it.unseen)
    parts = dim.split([400, 400, 90, 7])
    first = norms(adapt(it.module, parts))[0]
    values = [it.module[0](part).detach().double().numpy() for part in parts]
    sizes = np.array([len(part) for part in parts])
    means = np.stack([v.mean((0, 2, 3)) for v in values])
    variances = np.stack([v.var((0, 2, 3), ddof=1) for v in values])
    whole = it.module[0](dim).detach().double().numpy().mean((0, 2, 3))
    np.testing.assert_allclose(np.average(means, 0, sizes), whole, rtol=1e-5)
    np.testing.assert_allclose(first.running_mean, whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(first.running_var, np.average(variances, 0, sizes), rtol=1e-4)


def test_pictures_of_different_sizes_count_by_their_pixels():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    pictures = [torch.rand(1, 3, 8, 8), torch.rand(1, 3, 24, 16) + 1]
    positions = torch.cat([module[0](p).flatten(2) for p in pictures], 2)  # (1, 4, 64 + 384)
    adapted = adapt(module, pictures)
    torch.testing.assert_close(adapted[1].running_mean, positions.mean((0, 2)).detach())


def test_weights_and_the_original_stay_bitwise():
    module = learned().module
    before = copy.deepcopy(module.state_dict())
    adapted = adapt(module, in_other_light(learned().unseen).split(100))
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name
    parameters = dict(adapted.named_parameters())
    assert {"0.weight", "1.weight", "1.bias", "4.weight", "4.bias", "8.bias"} <= set(parameters)
    for name, value in parameters.items():
        assert torch.equal(value, before[name]), name
        assert value.data_ptr() != module.get_parameter(name).data_ptr()
    for name in ("1.running_mean", "1.running_var", "4.running_mean", "4.running_var"):
        assert not torch.equal(adapted.get_buffer(name), before[name]), name


def test_training_flags_and_momenta_come_back():
    module = convolutional().train()
    module[1].eval()
    module[4].momentum = 0.03
    flags = [part.training for part in module.modules()]
    adapted = adapt(module, [torch.rand(8, 1, 8, 8)])
    assert [part.training for part in adapted.modules()] == flags
    assert [part.training for part in module.modules()] == flags
    assert [norm.momentum for norm in norms(adapted)] == [0.1, 0.03]


def test_dropout_is_off_while_statistics_are_taken():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm2d(3)).train()
    x = torch.rand(4, 3, 8, 8)
    adapted = adapt(module, [x])
    torch.testing.assert_close(adapted[1].running_mean, x.mean((0, 2, 3)))


def test_labels_beside_the_pictures_are_ignored_and_a_stream_will_do():
    module, x = convolutional().eval(), torch.rand(40, 1, 8, 8)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, torch.zeros(40)), batch_size=16
    )
    found, stream = adapt(module, loader), adapt(module, (part for part in x.split(16)))
    for name, value in adapt(module, x.split(16)).state_dict().items():
        assert torch.equal(found.state_dict()[name], value)
        assert torch.equal(stream.state_dict()[name], value)


def test_a_style_network_is_centred_on_the_target_pictures(photo):
    torch.manual_seed(0)
    module = TransformNet(8, 1, norm="batch").eval()
    pictures = torch.cat([photo(32, 32), photo(32, 32, "coffee")]) ** 2
    adapted = adapt(module, [pictures])
    seen = []
    adapted.encoder[0][1].register_forward_hook(lambda *call: seen.append(call[2].clone()))
    with torch.no_grad():
        adapted(pictures)
    assert seen[0].mean((0, 2, 3)).abs().max() < 1e-4
    np.testing.assert_allclose(seen[0].var((0, 2, 3)), 1, atol=2e-3)  # short of 1 by the eps
    before = module.encoder[0](pictures)
    assert (before - adapted.encoder[0](pictures)).abs().max() > 0.1


def test_the_copy_goes_where_it_is_sent():
    adapted = adapt(convolutional(), [torch.rand(4, 1, 8, 8)], device="cpu")
    assert next(adapted.parameters()).device.type == "cpu"


def test_a_network_of_norms_alone_has_no_device_to_ask_for():
    adapted = adapt(nn.BatchNorm2d(3, affine=False), [torch.ones(2, 3, 4, 4)])
    assert torch.equal(adapted.running_mean, torch.ones(3))


@pytest.mark.parametrize(
    "module",
    [TransformNet(4, 1), nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)],
    ids=["instance norm", "no norm", "no statistics"],
)
def test_a_network_without_batch_norm_is_refused(module):
    with pytest.raises(InputError, match="instance norm adapts by itself"):
        adapt(module, [torch.rand(2, 3, 16, 16)])


@pytest.mark.parametrize("batches", [[], [torch.empty(0, 1, 8, 8)]], ids=["none", "empty"])
def test_no_batches_are_refused(batches):
    with pytest.raises(InputError, match="there are no batches"):
        adapt(convolutional(), batches)


def test_a_batch_without_variance_is_refused():
    with pytest.raises(InputError, match="cannot take a batch"):
        adapt(perceptron(), [torch.rand(1, 1, 8, 8)])
