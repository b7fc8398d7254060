"""Steps of a video that run at the same time: in order, bounded, and with their errors."""

import threading
from itertools import count

import pytest

from impasto.video.overlap import Behind, EndedError, Finished, ahead


def test_items_come_in_order_and_a_few_ahead():
    begun = []

    def items():
        for index in range(20):
            begun.append(index)
            yield index

    used = []
    for item in ahead(items(), 2):
        used.append(item)
        assert len(begun) <= len(used) + 2
    assert used == list(range(20))


def test_an_error_comes_where_its_item_would():
    def items():
        yield 1
        raise ValueError("damaged")

    photos = ahead(items())
    assert next(photos) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(photos)


def test_closing_ends_the_thread_and_closes_what_it_reads():
    closed, before = threading.Event(), threading.active_count()

    def items():
        try:
            yield from count()
        finally:
            closed.set()

    photos = ahead(items())
    next(photos)
    photos.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_work_behind_is_in_order_bounded_and_tells_its_errors():
    gate, done, submitted = threading.Event(), [], []
    behind = Behind(2)

    def work(index):
        gate.wait(60)
        done.append(index)

    def fill():
        for index in range(4):
            behind.submit(work, index)
            submitted.append(index)

    filling = threading.Thread(target=fill)
    filling.start()
    filling.join(0.2)
    assert len(submitted) == 2
    gate.set()
    filling.join(60)
    behind.wait()
    assert done == [0, 1, 2, 3]
    behind.submit(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        behind.wait()
    behind.close()


def test_a_frame_is_waited_for_and_old_ones_are_loaded():
    loaded, found = [], []
    frames = Finished(lambda index: loaded.append(index) or f"stored {index}", 3)

    def fetch():
        found.extend(frames(index) for index in range(5))
        try:
            frames(5)
        except EndedError as error:
            found.append(str(error))

    reading = threading.Thread(target=fetch)
    reading.start()
    frames.add("new 3")
    frames.add("new 4")
    frames.end()
    reading.join(60)
    assert found == [
        "stored 0",
        "stored 1",
        "stored 2",
        "new 3",
        "new 4",
        "frame 6 was not painted",
    ]
    assert loaded == [0, 1, 2]
    for _ in range(100):
        frames.add("more")
    assert len(frames._recent) <= 8
