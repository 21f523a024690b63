"""Samples in notes and diagnoses: which one is meant, and where its piece fails."""

from __future__ import annotations

from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.metrics._examples import named, sentences
from pytest_vigate.metrics._failures import some

FOLDER = "/data/" + "x" * 200


def test_long_ids_keep_their_end() -> None:
    # 60 characters, the ellipsis, 59 characters
    assert named(f"{FOLDER}/left.jpg") == f"'/data/{'x' * 54}…{'x' * 50}/left.jpg'"
    assert named("y" * 120) == f"'{'y' * 120}'"
    assert len(named("y" * 121)) == 122


def test_ids_are_one_line() -> None:
    assert named("a\n\x1b[31m") == "'a\\n\\x1b[31m'"


def test_samples_in_one_folder_differ_in_the_diagnosis() -> None:
    samples = [{"id": f"{FOLDER}/{side}.jpg", "piece": ""} for side in ("left", "right")]
    head, left, right = sentences([{"kind": "cut off", "count": 2, "samples": samples}])
    assert head == "cut off: 2"
    assert left.endswith("/left.jpg'")
    assert right.endswith("/right.jpg'")


def test_samples_in_one_folder_differ_in_notes() -> None:
    left, right = (f"{FOLDER}/{side}.jpg" for side in ("left", "right"))
    found = some({0: ParseFailure("a"), 1: ParseFailure("b", 4)}, [left, right])
    assert found == f"{named(left)}: a; {named(right)}: b at character 5"


def test_caret_is_moved_by_the_width_of_the_id() -> None:
    samples = [{"id": "左.jpg", "piece": "[1,]\n   ^"}]
    # two spaces, two quotes, ``: `` and .jpg are ten columns, the character is two; then three of the piece
    assert [*sentences([{"kind": "comma", "count": 1, "samples": samples}])] == [
        "comma: 1",
        "  '左.jpg': [1,]",
        " " * 15 + "^",
    ]
