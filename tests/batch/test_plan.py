"""Which style a picture gets, and names that never collide."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_pictures import draw
from impasto.batch.plan import _outputs, output_name, plan
from impasto.errors import InputError
from impasto.image import READ_SUFFIXES, WRITE_SUFFIXES

SUFFIX = st.sampled_from([*READ_SUFFIXES, ".JPG", ".Png", ".dat", ""])
STEM = st.text("ab~.jpgifn", min_size=1, max_size=8).filter(lambda text: text.strip("."))
NAME = st.builds(lambda stem, suffix: stem + suffix, STEM, SUFFIX)


@given(st.lists(NAME, unique=True, max_size=30), st.sampled_from(["", *WRITE_SUFFIXES]))
def test_no_two_pictures_share_a_name(names, ending):
    painted = [output_name(name, ending) for name in names]
    assert len(set(painted)) == len(painted)
    endings = (ending,) if ending else WRITE_SUFFIXES
    assert all(name.lower().endswith(endings) for name in painted)


@given(st.lists(NAME, unique=True, max_size=30), st.sampled_from(["", ".png"]))
def test_nor_do_they_where_case_counts_for_nothing(names, ending):
    painted = [name.casefold() for name in _outputs(names, ending).values()]
    assert len(set(painted)) == len(painted)


def test_16_bits_make_pngs_of_what_cannot_hold_them():
    names = ("a.jpg", "a.webp", "a.png", "a.TIF", "a.gif")
    assert [output_name(name, bits=16) for name in names] == [
        *("a~jpg.png", "a~webp.png", "a.png", "a.TIF", "a~gif.png")
    ]


def test_names_that_were_made_by_keeping_an_ending():
    assert output_name("a.gif") == "a~gif.png"
    assert output_name("a~gif.png") == "a~gif~png.png"
    assert output_name("x~y.png") == "x~y.png"
    assert output_name("x/A.JPG") == "x/A.JPG"
    assert output_name("x/scan.dat") == "x/scan.dat~.png"
    assert output_name("x/scan") == "x/scan~.png"
    assert output_name("x/scan~.png") == "x/scan~~png.png"


def test_the_tree_is_kept_below_a_folder_for_each_style(make, tmp_path):
    items = plan(make(["starry-night", "great-wave"]), tmp_path / "out")
    assert [item.output for item in items if item.style == 1] == [
        "great-wave/a.jpg",
        "great-wave/a.png",
        "great-wave/sub/b~gif.png",
        "great-wave/sub/deep/c.png",
    ]
    assert len(items) == 8
    alone = plan(make(), tmp_path / "out")
    assert [item.output for item in alone] == ["a.jpg", "a.png", "sub/b~gif.png", "sub/deep/c.png"]


def test_a_random_style_depends_on_the_picture_and_the_seed_alone(make, folder, tmp_path):
    named = ["starry-night", "great-wave", "composition-vii"]
    job = make(named, random=True, seed=3)

    def drawn(job):
        items = plan(job, tmp_path / "out")
        return {item.picture: (item.style, item.seed, item.output) for item in items}

    before = drawn(job)
    for number in range(60):
        draw(folder / "more" / f"{number}.png", 2, 2)
    after = drawn(job)
    assert {picture: after[picture] for picture in before} == before
    counts = [sum(style == index for style, _, _ in after.values()) for index in range(3)]
    assert sum(counts) == 64
    assert min(counts) > 8
    assert drawn(make(named, random=True, seed=4)) != after
    order = [item.style for item in plan(job, tmp_path / "out")]
    assert order == sorted(order)  # one style after another


def test_results_inside_the_folder_are_no_pictures(make, folder):
    out = folder / "painted"
    before = plan(make(), out)
    draw(out / "a.jpg")
    assert plan(make(), out) == before


def test_results_may_not_lie_where_the_pictures_lie(make, folder):
    with pytest.raises(InputError, match="holds the pictures to paint"):
        plan(make(), folder)
    plan(make(), folder.parent)
    draw(folder / "photos" / "a.jpg")
    with pytest.raises(InputError, match="would be painted over"):
        plan(make(), folder.parent)


def test_no_painting_is_painted_over(make, folder, tmp_path):
    draw(tmp_path / "out" / "a.png")
    with pytest.raises(InputError, match="would be painted over"):
        plan(make([tmp_path / "out" / "a.png"], method="adain"), tmp_path / "out")


def test_a_folder_that_bears_the_name_of_the_manifest(make, folder, tmp_path):
    draw(folder / "Manifest.jsonl" / "a.png")
    with pytest.raises(InputError, match="bears a name that the job needs"):
        plan(make(), tmp_path / "out")


def test_no_folder(make, tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        plan(make(folder=str(tmp_path / "nowhere")), Path("out"))
