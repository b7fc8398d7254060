"""WebDataset shards give the same crops as a folder of their pictures."""

import sys
import tarfile

import pytest
import torch
import webdataset

from impasto.errors import InputError, MissingExtraError
from impasto.training.data import BatchLoader, Source, image_paths, open_source


@pytest.fixture
def shards(tmp_path, folder):
    """The folder's seven pictures in two shards, with other parts of each sample beside them."""
    files = image_paths(folder)
    for number, part in enumerate((files[:4], files[4:])):
        with webdataset.TarWriter(str(tmp_path / f"photos-{number:04d}.tar")) as writer:
            for name in part:
                key = name.rsplit("/", 1)[1].removesuffix(".png")
                picture = open(name, "rb").read()  # noqa: SIM115
                writer.write({"__key__": key, "png": picture, "txt": "a caption", "mask.png": b"x"})
    return tmp_path / "photos-{0000..0001}.tar"


def crops(source, workers=0):
    with BatchLoader(
        {"content": source}, batch=3, start=0, steps=5, seed=0, workers=workers
    ) as feed:
        return torch.cat([batch["content"] for batch in feed]), feed.skipped


@pytest.mark.parametrize("workers", [0, 1])
def test_shards_are_like_a_folder(folder, shards, workers):
    source = open_source(shards, 8, 2.0, True)
    assert len(source.files) == 7
    expected, _ = crops(Source(image_paths(folder), 8, 2.0, True))
    found, skipped = crops(source, workers)
    assert torch.equal(found, expected)
    assert skipped == set()


def test_one_shard(shards):
    place = str(shards).replace("{0000..0001}", "0001")
    assert open_source(place).files == tuple(f"{place}/{n}.png" for n in (4, 5, 6))


def test_broken_pictures_of_a_shard_are_skipped_by_name(tmp_path, folder):
    place = tmp_path / "some.tar"
    with webdataset.TarWriter(str(place)) as writer:
        writer.write({"__key__": "good", "jpg": (folder / "0.png").read_bytes()})  # PNG by content
        writer.write({"__key__": "bad", "jpg": b"broken"})
    found, skipped = crops(open_source(place, 8))
    assert len(found) == 15
    assert skipped == {f"{place}/bad.jpg"}


def test_a_shard_that_has_become_shorter(shards, tmp_path):
    source = open_source(shards, 8)
    with (tmp_path / "photos-0001.tar").open("r+b") as file:
        file.truncate(1000)
    assert {name.rsplit("/", 1)[1] for name in crops(source)[1]} == {"4.png", "5.png", "6.png"}


def test_places_that_are_refused_in_one_line(tmp_path, shards):
    (tmp_path / "empty.tar").write_bytes(b"\0" * 10240)
    (tmp_path / "broken.tar").write_bytes(b"broken" * 1000)
    (tmp_path / "photos.tar.gz").write_bytes(b"")
    text = tmp_path / "text.tar"
    with tarfile.open(text, "w") as tar:
        tar.add(__file__, "test.py")
    for place, reason in {
        "empty.tar": "holds no pictures",
        "text.tar": "holds no pictures",
        "broken.tar": "no sound tar file",
        "photos.tar.gz": "unpack it",
        "photos-{0000..0002}.tar": "there is no such shard",
        "missing.tar": "there is no such shard",
    }.items():
        with pytest.raises(InputError, match=reason) as refused:
            open_source(tmp_path / place)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="not on this machine"):
        open_source("https://example.org/photos-{0000..0009}.tar")


def test_a_name_with_braces_is_a_name_first(tmp_path, shards):
    odd = (tmp_path / "photos-0000.tar").rename(tmp_path / "a{1..2}.tar")
    assert len(open_source(odd).files) == 4


def test_without_the_library(shards, monkeypatch):
    for name in ("webdataset", "webdataset.shardlists", "webdataset.tariterators"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"training on shards needs .*impasto\[train\]"):
        open_source(shards)


def test_a_folder_needs_no_library(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "webdataset", None)
    assert len(open_source(folder).files) == 7
