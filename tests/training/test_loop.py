"""The loop with a module so small that every number is known."""

import copy
import json
import math
import sys

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

import toy
from impasto.core.device import Runtime
from impasto.errors import DivergedError, ImpastoError, InputError, MissingExtraError
from impasto.training import checkpoint
from impasto.training.data import Source
from impasto.training.loop import train
from impasto.training.plan import Plan

BFLOAT16 = Runtime(torch.device("cpu"), torch.bfloat16)


@pytest.fixture
def learn(source):
    """Train the toy: learn(task=None, folder=None, ..., **numbers of the plan)."""

    def run(
        task=None, runtime=toy.RUNTIME, folder=None, callback=None, max_seconds=None, **numbers
    ):
        numbers = {"steps": 30, "learning_rate": 0.02, "report_every": 10, "workers": 0} | numbers
        return train(
            toy.Invert() if task is None else task,
            Plan(**numbers),
            sources={"content": source},
            runtime=runtime,
            folder=folder,
            max_seconds=max_seconds,
            **({} if callback is None else {"callback": callback}),
        )

    return run


@pytest.mark.slow
def test_the_loss_falls_and_the_module_has_learned(learn):
    result = learn(steps=300, learning_rate=0.05, report_every=100)
    assert result.losses["total"][-1] < 0.01 * result.losses["total"][0]
    x = torch.rand(2, 3, 5, 5)
    assert not result.module.training
    with torch.no_grad():
        assert (result.module(x) - (1 - x)).abs().mean() < 0.1


def test_what_comes_out(learn):
    heard = []
    result = learn(callback=lambda p: heard.append((p.step, p.total, p.losses)), report_every=12)
    assert (result.steps, result.pictures, result.skipped, result.finished) == (30, 120, (), True)
    assert result.seconds > 0
    assert [(step, total) for step, total, _ in heard] == [(n, 30) for n in range(1, 31)]
    told = [losses["total"] for *_, losses in heard]
    parts = (told[:12], told[12:24], told[24:])
    assert result.losses["total"] == pytest.approx([sum(part) / len(part) for part in parts])
    assert result.losses["half"] == pytest.approx([total / 2 for total in result.losses["total"]])


def test_adam_and_the_rate_of_each_step():
    plan = Plan(steps=4, learning_rate=0.1, warmup=4, report_every=1)
    task = toy.Remember([1.0] * 4)
    result = train(task, plan, runtime=toy.RUNTIME)
    # the gradient is always 1, which Adam turns into steps of the learning rate
    steps = [0.0, 0.025, 0.075, 0.15, 0.25]
    assert [*task.seen, result.module.weight.item()] == pytest.approx([1 - s for s in steps])
    assert result.pictures == 0


def test_the_running_mean_of_the_weights():
    task = toy.Remember([1.0, -2.0, 0.5, 3.0, 1.0])
    result = train(task, Plan(steps=5, learning_rate=0.1, ema=0.8), runtime=toy.RUNTIME)
    last = task.module.weight.item()
    after = [*task.seen[1:], last]  # each step
    mean = after[0]
    for weight in after[1:]:
        mean = 0.8 * mean + 0.2 * weight
    assert result.module.weight.item() == pytest.approx(mean)
    assert result.module is not task.module


def test_the_running_mean_keeps_the_layout_and_the_counted_buffers(learn):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1))
    task = toy.Invert(module=net)
    result = learn(task, ema=0.9, steps=7)
    assert result.module[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert result.module[1].num_batches_tracked == 7
    assert torch.equal(result.module[1].running_var, net[1].running_var)
    assert not torch.equal(result.module[0].weight, net[0].weight)


def test_clipping():
    def trained(gradients, clip):
        plan = Plan(steps=2, learning_rate=0.1, clip=clip)
        return train(toy.Remember(gradients), plan, runtime=toy.RUNTIME).module.weight.item()

    assert trained([1.0, 100.0], clip=1.0) == pytest.approx(trained([1.0, 1.0], clip=0.0))
    assert trained([1.0, 100.0], clip=0.0) != pytest.approx(trained([1.0, 1.0], clip=0.0))


def test_frozen_weights_stay(learn):
    task = toy.Invert()
    task.module.bias.requires_grad_(False)
    before = copy.deepcopy(task.module)
    after = learn(task, ema=0.5).module
    assert torch.equal(after.bias, before.bias)
    assert not torch.equal(after.weight, before.weight)


# Formats


@pytest.mark.slow
def test_bfloat16_learns_and_leaves_a_float32_module(learn):
    formats = set()

    class Watched(toy.Invert):
        def loss(self, module, batch):
            formats.add(module(batch["content"]).dtype)
            return super().loss(module, batch)

    task = Watched()
    task.module.register_forward_hook(lambda *a: formats.add(a[2].dtype))
    result = learn(task, BFLOAT16, steps=100, learning_rate=0.05)
    assert formats == {torch.bfloat16, torch.float32}  # inside; what the loss sees
    assert result.losses["total"][-1] < 0.2 * result.losses["total"][0]
    assert result.module.weight.dtype == torch.float32
    assert result.module(torch.rand(1, 3, 4, 4)).dtype == torch.float32
    assert set(result.module.state_dict()) == {"weight", "bias"}


@pytest.mark.slow
def test_trainings_of_other_formats_in_one_process(learn):
    first, reduced, again = (learn(runtime=r) for r in (toy.RUNTIME, BFLOAT16, toy.RUNTIME))
    assert torch.equal(first.module.weight, again.module.weight)
    assert not torch.equal(first.module.weight, reduced.module.weight)


def test_a_strangers_accelerator_is_no_obstacle(learn):
    AcceleratorState._reset_state(reset_partial_state=True)
    Accelerator(mixed_precision="bf16", cpu=True)
    assert learn().finished


# Ends


def test_cancelling_keeps_what_was_learned(learn, tmp_path):
    result = learn(folder=tmp_path, callback=lambda p: p.step == 7 and p.cancel())
    assert (result.steps, result.finished, len(result.losses["total"])) == (7, False, 1)
    assert checkpoint.load(tmp_path / "checkpoint.pt")["step"] == 7


def test_max_seconds(learn, tmp_path, monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr("impasto.training.loop.time.monotonic", lambda: next(clock))
    first = learn(folder=tmp_path, max_seconds=5)
    assert (first.steps, first.seconds, first.finished) == (6, 6, False)
    second = learn(folder=tmp_path, max_seconds=100)
    assert (second.steps, second.seconds, second.finished) == (30, 30, True)


def test_ctrl_c_leaves_the_last_checkpoint(learn, tmp_path):
    def interrupt(progress):
        if progress.step == 17:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(folder=tmp_path, callback=interrupt, checkpoint_every=5)
    assert checkpoint.load(tmp_path / "checkpoint.pt")["step"] == 15
    assert learn(folder=tmp_path).finished


def test_a_loss_that_is_not_finite_ends_it_before_it_spoils_anything(tmp_path):
    gradients = [1.0, 1.0, 1.0, math.nan, 1.0]
    plan = Plan(steps=5, checkpoint_every=2)
    task = toy.Remember(gradients)
    with pytest.raises(DivergedError, match=r"step 4 \(total nan\).*lower learning_rate"):
        train(task, plan, runtime=toy.RUNTIME, folder=tmp_path)
    assert checkpoint.load(tmp_path / "checkpoint.pt")["step"] == 2
    assert task.module.weight.isfinite().all()


@pytest.mark.parametrize("folder", [True, False])
def test_weights_that_are_not_finite_are_never_kept(tmp_path, folder):
    class Spoiled(toy.Remember):
        def loss(self, module, batch):  # finite, but for its gradient
            losses = super().loss(module, batch)
            zero = losses["total"] - losses["total"]
            return {"total": losses["total"] + (zero.sqrt() if batch.step == 3 else zero)}

    plan = Plan(steps=4, checkpoint_every=2)
    with pytest.raises(DivergedError, match="weights are not finite"):
        train(Spoiled([1.0] * 4), plan, runtime=toy.RUNTIME, folder=tmp_path if folder else None)
    if folder:
        assert checkpoint.load(tmp_path / "checkpoint.pt")["step"] == 2


def test_a_full_disk_keeps_the_checkpoint_before(learn, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    def fill(progress):
        if progress.step == 12:
            monkeypatch.setattr("os.fsync", full)

    with pytest.raises(ImpastoError, match="No space left on device"):
        learn(folder=tmp_path, callback=fill, checkpoint_every=10)
    assert checkpoint.load(tmp_path / "checkpoint.pt")["step"] == 10


# Reports


def test_the_log_has_the_means_and_the_samples(learn, tmp_path):
    result = learn(folder=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30]
    assert [line["total"] for line in lines] == result.losses["total"]
    assert list((tmp_path / "tensorboard").iterdir())


def test_the_preview_is_the_running_mean_in_evaluation_mode(learn):
    modes = set()

    class Shown(toy.Invert):
        def sample(self, module):
            modes.add((module.training, module is self.module, torch.is_grad_enabled()))
            return 5 + super().sample(module)

    task, seen = Shown(), []
    learn(
        task, ema=0.9, steps=3, callback=lambda p: seen.append((p.preview(), task.module.training))
    )
    assert modes == {(False, False, False)}
    for picture, training in seen:
        assert picture.shape == (1, 3, 4, 4)
        assert picture.max() <= 1
        assert training


def test_a_preview_changes_nothing(learn):
    quiet, watched = learn(), learn(callback=lambda p: p.preview())
    assert torch.equal(quiet.module.weight, watched.module.weight)


def test_a_task_without_a_sample_has_no_preview():
    seen = []
    train(
        toy.Remember([1.0]),
        Plan(steps=1),
        runtime=toy.RUNTIME,
        callback=lambda p: seen.append(p.preview),
    )
    assert seen == [None]


# What is refused


def test_broken_files_are_counted(learn, source, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_text("broken")
    files = (*source.files, str(broken))
    plan = Plan(steps=10, workers=0)
    result = train(
        toy.Invert(), plan, sources={"content": Source(files, crop=8)}, runtime=toy.RUNTIME
    )
    assert result.skipped == (str(broken),)


def test_a_source_that_is_missing():
    with pytest.raises(InputError, match="needs pictures for: content"):
        train(toy.Invert(), Plan(), runtime=toy.RUNTIME)


@pytest.mark.parametrize("missing", ["accelerate", "torch.utils.tensorboard"])
def test_without_the_extra(learn, tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"training needs an extra: .*impasto\[train\]"):
        learn(folder=tmp_path)
