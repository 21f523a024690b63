from __future__ import annotations

from dataclasses import fields

import numpy as np

from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.dataset import Boxes
from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.data.tables import RawBoxes

NUMBERS = np.arange(12.0).reshape(3, 4)
ROWS = np.array([2, 0])


def test_some_raw_boxes_keep_all_that_is_known_of_them() -> None:
    failures = {0: ParseFailure("cut off")}
    raw = RawBoxes(
        NUMBERS,
        np.array([0, 0, 1]),
        np.array([1, 0, 1]),
        np.array([0.5, np.nan, 1.0]),
        np.array([True, False, False]),
        ("car", "bus"),
        Convention("xyxy", "pixels"),
        area=np.array([7.0, 8.0, 9.0]),
        failures=failures,
        places="abc".__getitem__,
    )
    taken = raw.take(ROWS)
    columns = [getattr(taken, name).tolist() for name in ("numbers", "sample", "label", "score", "crowd", "area")]
    assert columns == [[[8, 9, 10, 11], [0, 1, 2, 3]], [1, 0], [1, 1], [1.0, 0.5], [False, True], [9, 7]]
    assert taken.places is not None
    assert [taken.places(j) for j in range(2)] == ["c", "a"]
    kept = {field.name for field in fields(RawBoxes)} - {
        *("numbers", "sample", "label", "score", "crowd", "area", "places"),
    }
    assert all(getattr(taken, name) is getattr(raw, name) for name in kept)


def test_some_boxes_are_those_of_other_samples() -> None:
    boxes = Boxes(
        NUMBERS,
        np.array([1, 0, 1]),
        np.array([0.5, np.nan, 1.0]),
        np.array([True, False, False]),
        np.array([7.0, 8.0, 9.0]),
        np.array([0, 2, 3]),
        ("car", "bus"),
        stated=np.array([[4.0, 4.0], [5.0, 5.0], [6.0, 6.0]]),
    )
    taken = boxes.take(ROWS, np.array([0, 0, 1, 2]))
    assert taken.sample.tolist() == [1, 2]
    columns = [getattr(taken, name).tolist() for name in ("xyxy", "label", "score", "crowd", "area", "extent")]
    assert columns == [[[8, 9, 10, 11], [0, 1, 2, 3]], [1, 1], [1.0, 0.5], [False, True], [9, 7], [[6, 6], [4, 4]]]
    assert taken.vocabulary == boxes.vocabulary
