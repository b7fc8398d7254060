"""Places of pictures, and the batches made of them."""

import dataclasses
import multiprocessing
import os
import signal

import pytest
import torch

from impasto.errors import ImpastoError, InputError
from impasto.training.data import BatchLoader, Source, image_paths, open_source


def batches(sources, batch=4, start=0, steps=5, seed=0, **options):
    options.setdefault("workers", 0)
    with BatchLoader(sources, batch=batch, start=start, steps=steps, seed=seed, **options) as feed:
        return list(feed)


def same(first, second):
    return len(first) == len(second) and all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
        for a, b in zip(first, second, strict=True)
    )


# Places


def test_a_folder_is_searched_with_all_in_it(tmp_path, paint):
    for name in ("b.png", "a/c.JPG", "a/d/e.webp", ".hidden.png", ".thumbnails/f.png"):
        paint(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    assert image_paths(tmp_path) == tuple(
        str(tmp_path / n) for n in ("a/c.JPG", "a/d/e.webp", "b.png")
    )


def test_a_list_is_relative_to_its_folder(tmp_path, paint):
    elsewhere = paint(tmp_path / "elsewhere" / "b.png")
    listed = tmp_path / "lists" / "photos.txt"
    listed.parent.mkdir()
    listed.write_text(f"\ufeff# mine\n\n  a.png \n#b.png\n{elsewhere}\n../c.png", encoding="utf-8")
    names = ("lists/a.png", str(elsewhere), "lists/../c.png")
    assert image_paths(listed) == tuple(str(tmp_path / name) for name in names)


def test_one_picture_is_a_place(tmp_path, paint):
    assert image_paths(paint(tmp_path / "a.png")) == (str(tmp_path / "a.png"),)


def test_open_source_keeps_the_numbers(folder):
    assert open_source(folder, 32, 2.0, False) == Source(image_paths(folder), 32, 2.0, False)


@pytest.mark.parametrize("place", ["nowhere", "empty", "text.txt", "bytes"])
def test_places_without_pictures_are_refused_in_one_line(tmp_path, place):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("# nothing\n\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match=place) as refused:
        open_source(tmp_path / place)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong", [{"crop": 0}, {"zoom": 0.5}, {"zoom": float("nan")}, {"repeat": 0}]
)
def test_numbers_that_make_no_crops(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Source(("a.png",), **wrong)


def test_a_source_without_files():
    with pytest.raises(InputError, match="no pictures"):
        Source(())


# Batches


def test_what_a_batch_is(source):
    (batch,) = batches({"content": source, "style": source}, steps=1)
    assert list(batch) == ["content", "style"]
    for pictures in batch.values():
        assert (pictures.shape, pictures.dtype) == ((4, 3, 8, 8), torch.float32)
        assert 0 <= pictures.min() < pictures.max() <= 1
    assert not torch.equal(batch["content"], batch["style"])  # of one folder, but other draws


@pytest.mark.slow
def test_workers_change_nothing(source):
    alone = batches({"content": source}, workers=0)
    assert same(alone, batches({"content": source}, workers=1))
    assert same(alone, batches({"content": source}, workers=2))


def test_processes_share_the_batch_of_one(source):
    whole = batches({"content": source})
    parts = [batches({"content": source}, rank=rank, world=2) for rank in range(2)]
    joined = [
        {"content": torch.cat([a["content"], b["content"]])} for a, b in zip(*parts, strict=True)
    ]
    assert same(whole, joined)


def test_a_later_start_sees_what_it_would_have_seen(source):
    assert same(batches({"content": source})[3:], batches({"content": source}, start=3))
    assert batches({"content": source}, start=7) == []


def test_the_seed_decides(source):
    first, again, other = (batches({"content": source}, seed=seed) for seed in (0, 0, 1))
    assert same(first, again)
    assert not same(first, other)


def test_every_epoch_is_another_order_of_all(tmp_path, paint):
    for shade in range(8):
        paint(tmp_path / f"{shade}.png", seed=shade)
    whole = Source(image_paths(tmp_path), crop=20, zoom=1.0, flip=False)
    orders = []
    for batch in batches({"content": whole}, batch=8, steps=4):
        orders.append([round(float(mean), 3) for mean in batch["content"].mean((1, 2, 3))])
    # a crop of one picture differs a little from epoch to epoch; the pictures differ much
    ranks = [sorted(range(8), key=order.__getitem__) for order in orders]
    assert len({tuple(order) for order in ranks}) == 4
    for order in orders[1:]:
        assert sorted(order) == pytest.approx(sorted(orders[0]), abs=0.02)


def test_no_sources_give_empty_batches():
    assert batches({}, start=2) == [{}, {}, {}]


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_files_are_skipped_and_counted(folder, workers):
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:300])
    files = (*image_paths(folder), str(folder / "missing.png"))
    with BatchLoader(
        {"content": Source(files, crop=8)}, batch=4, start=0, steps=5, seed=0, workers=workers
    ) as feed:
        assert [len(batch["content"]) for batch in feed] == [4] * 5
    assert feed.skipped == {str(folder / n) for n in ("broken.jpg", "cut.png", "missing.png")}


@pytest.mark.parametrize("workers", [0, 1])
def test_only_broken_files(tmp_path, workers):
    for name in "ab":
        (tmp_path / f"{name}.png").write_text("broken")
    with pytest.raises(InputError, match="none of the 2 pictures can be read") as refused:
        batches({"content": Source(image_paths(tmp_path), crop=8)}, workers=workers)
    assert "Traceback" not in str(refused.value)


@pytest.mark.slow
def test_every_odd_picture_trains_through(tmp_path, paint):
    paint(tmp_path / "tiny.png", 1, 1)
    paint(tmp_path / "grey.png", mode="L")
    paint(tmp_path / "cmyk.jpg", mode="CMYK")
    paint(tmp_path / "alpha.webp", mode="RGBA")
    paint(tmp_path / "palette.gif", mode="P")
    paint(tmp_path / "bits.png", mode="1")
    paint(tmp_path / "strip.bmp", 500, 1)
    paint(tmp_path / "huge.jpg", 4000, 3000)
    with BatchLoader(
        {"content": Source(image_paths(tmp_path), crop=16)},
        batch=8,
        start=0,
        steps=2,
        seed=0,
        workers=1,
    ) as feed:
        assert all(bool(batch["content"].isfinite().all()) for batch in feed)
    assert feed.skipped == set()


def test_orders_of_a_long_training_take_no_memory(source):
    with BatchLoader(
        {"content": source}, batch=64, start=10**12, steps=10**15, seed=0, workers=0
    ) as feed:
        assert next(iter(feed))["content"].shape == (64, 3, 8, 8)


def test_torchs_generator_is_left_alone(source):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    batches({"content": source})
    assert torch.equal(torch.get_rng_state(), before)


def test_a_worker_that_is_killed_is_told_of(source):
    def kill():
        # only one: torch raises an error for each, and a second one would come after the test
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    def run():
        with BatchLoader(
            {"content": source}, batch=4, start=0, steps=10**9, seed=0, workers=2
        ) as feed:
            for number, _ in enumerate(feed):
                if number == 1:
                    kill()

    with pytest.raises(ImpastoError, match=r"process that decodes pictures has died.*workers=0"):
        run()


def test_the_workers_end_with_the_feed(source):
    with BatchLoader({"content": source}, batch=4, start=0, steps=1000, seed=0, workers=2) as feed:
        next(iter(feed))
        assert len(multiprocessing.active_children()) >= 2
    assert not multiprocessing.active_children()


# Sources that repeat: k steps in a row get the same crops


def repeating(source, k):
    return {"content": source, "style": dataclasses.replace(source, repeat=k)}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_source_repeats_its_crops(source, workers):
    found = batches(repeating(source, 3), steps=8, workers=workers)
    style = [batch["style"] for batch in found]
    for step in range(8):
        assert torch.equal(style[step], style[step // 3 * 3])
    assert not torch.equal(style[0], style[3])
    assert not torch.equal(style[3], style[6])
    # the other source draws anew, as without
    plain = batches(repeating(source, 1), steps=8)
    assert all(torch.equal(a["content"], b["content"]) for a, b in zip(found, plain, strict=True))
    # and what is drawn is the next of the source, so that no picture is left out
    for each, number in ((0, 0), (3, 1), (6, 2)):
        assert torch.equal(style[each], plain[number]["style"])


@pytest.mark.parametrize("start", [1, 3, 5])
def test_a_later_start_repeats_the_same(source, start):
    whole = batches(repeating(source, 3), steps=8)
    assert same(whole[start:], batches(repeating(source, 3), steps=8, start=start))


def test_processes_share_a_repeated_batch(source):
    whole = batches(repeating(source, 3))
    parts = [batches(repeating(source, 3), rank=rank, world=2) for rank in range(2)]
    for batch, a, b in zip(whole, *parts, strict=True):
        assert torch.equal(batch["style"], torch.cat([a["style"], b["style"]]))
