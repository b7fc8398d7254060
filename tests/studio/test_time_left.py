"""Estimate the time that is left of a job, and say it."""

import pytest

from impasto.studio.time_left import TimeLeft, duration, progress_text


def test_equal_steps_are_counted():
    left = TimeLeft()
    assert left.update(0.0, 0, 10) is None
    assert left.update(2.0, 1, 10) == pytest.approx(18)
    assert left.update(10.0, 5, 10) == pytest.approx(10)
    assert left.update(20.0, 10, 10) == pytest.approx(0)


def test_the_next_level_takes_four_times_as_long():
    left = TimeLeft()
    left.update(0.0, 0, 20, "level 1 of 2, 64x64")
    # 5 steps of 1 s here, then 10 of 4 s
    assert left.update(5.0, 5, 20, "level 1 of 2, 64x64") == pytest.approx(5 + 40)
    assert left.update(11.0, 11, 20, "level 2 of 2, 128x128") == pytest.approx(9 * 4)
    # and what is measured there counts more than what was expected
    assert left.update(13.0, 12, 20, "level 2 of 2, 128x128") == pytest.approx(8 * 2)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((0, 1, "loading", None, 3.2), "loading, 3 s so far"),
        ((77, 140, "level 2 of 3, 256x256", 41.0, 9), "step 77 of 140, about 40 seconds left"),
        ((3, 9, "adain", 130.0, 9), "adain, step 3 of 9, about 2 minutes left"),
        ((1, 1, "", 0.0, 9), "painting, about a moment left"),
    ],
)
def test_a_person_reads_no_levels(given, text):
    assert progress_text(*given) == text


def test_durations_are_rounded():
    assert [duration(one) for one in (3, 57, 58, 89, 91)] == [
        "5 seconds",
        "55 seconds",
        "1 minute",
        "1 minute",
        "2 minutes",
    ]
