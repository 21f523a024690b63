"""Files of scores from elsewhere, and the names by which they are found."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.world import World, message, steps
from pytest_vigate.data.files import digest
from pytest_vigate.data.objects import ENTRIES, LARGEST, LONGEST
from pytest_vigate.data.reported import Reported, read_reported
from pytest_vigate.data.score_names import SCORES, Hits, fold, is_share, lookup, nearest, writable
from worlds import real_data


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def read(world: World, content: object, **options: Any) -> Reported:
    world.write("scores.json", content if isinstance(content, str | bytes) else json.dumps(content))
    return read_reported(world.source("reported", "scores.json"), **options)


def refused(world: World, content: object, **options: Any) -> str:
    return message(lambda: read(world, content, **options))


def pulled(*checkpoints: object) -> dict[str, object]:
    return {"vigate": 1, "source": "vi", "run": {"id": "r"}, "checkpoints": [*checkpoints]}


def checkpoint(name: str, epoch: object, metrics: object) -> dict[str, object]:
    return {"id": name, "epoch": epoch, "created": "2026-01-01T00:00:00Z", "evaluation_metrics": metrics}


def test_numbers_are_scores_by_dotted_name_and_all_else_is_told(world: World) -> None:
    given = {"f1": 0.5, "nested": {"n": {"x": 3}, "odd": "N/A", "off": None}, "ok": True, "all": [1, 2], "none": {}}
    found = read(world, given)
    assert found.values == {"f1": 0.5, "nested.n.x": 3.0}
    assert found.others == {
        "nested.odd": "the text 'N/A'",
        "nested.off": "null",
        "ok": "true",
        "all": "a list of 2",
        "none": "an empty object",
    }
    assert found.notes == ()
    assert found.source.format == "json"
    assert digest(found.source).startswith("sha256:")


def test_nan_and_infinities_of_python_stay(world: World) -> None:
    found = read(world, '{"a": NaN, "b": -Infinity, "c": 1e3}').values
    assert math.isnan(found["a"])
    assert found["b"] == -math.inf
    assert found["c"] == 1000


def test_integer_beyond_every_double_is_infinite(world: World) -> None:
    assert read(world, '{"a": -1%s}' % ("0" * 400)).values == {"a": -math.inf}


def test_byte_order_mark_is_no_content(world: World) -> None:
    assert read(world, b'\xef\xbb\xbf{"f1": 1}').values == {"f1": 1.0}


def test_last_checkpoint_counts_unless_an_epoch_is_asked_for(world: World) -> None:
    given = pulled(checkpoint("a", 1, {"Bounding Box F1": 0.6}), checkpoint("b", 2, {"Bounding Box F1": 0.8}))
    last, first = read(world, given), read(world, given, checkpoint=1)
    assert (last.values, last.source.format) == ({"Bounding Box F1": 0.8}, "vi")
    assert last.notes == ("the scores are those of checkpoint 'b', epoch 2, the last of 2",)
    assert first.values == {"Bounding Box F1": 0.6}
    assert first.notes == ("the scores are those of checkpoint 'a', epoch 1, one of 2",)


def test_last_checkpoint_is_that_of_the_highest_epoch(world: World) -> None:
    given = pulled(checkpoint("c", 3, {"f1": 0.3}), checkpoint("a", 1, {"f1": 0.1}), checkpoint("b", 2, {"f1": 0.2}))
    found = read(world, given)
    assert (found.values, found.notes) == (
        {"f1": 0.3},
        ("the scores are those of checkpoint 'c', epoch 3, the last of 3",),
    )


def test_without_epochs_checkpoints_count_from_one_in_the_order_of_the_file(world: World) -> None:
    given = pulled(checkpoint("a", None, {"f1": 0.1}), checkpoint("b", None, {"f1": 0.2}))
    last, first = read(world, given), read(world, given, checkpoint=1)
    assert (last.values, last.notes) == (
        {"f1": 0.2},
        ("the scores are those of checkpoint 'b', number 2, the last of 2",),
    )
    assert (first.values, first.notes) == (
        {"f1": 0.1},
        ("the scores are those of checkpoint 'a', number 1, one of 2",),
    )


def test_texts_of_pulled_files_that_stand_for_numbers_are_numbers(world: World) -> None:
    found = read(world, pulled(checkpoint("a", 1, {"f1": "-Infinity", "note": "fine"})))
    assert (found.values, found.others) == ({"f1": -math.inf}, {"note": "the text 'fine'"})


@pytest.mark.parametrize(
    ("checkpoints", "epoch", "expected"),
    [
        ([], None, "the run has no checkpoints, so there are no scores; wait for one, then pull it again"),
        (
            [checkpoint("a", 1, {"f1": 1}), checkpoint("b", 2, {"f1": 1})],
            7,
            "no checkpoint has epoch 7; the file has epoch 1, epoch 2",
        ),
        (
            [checkpoint("a", None, {"f1": 1}), checkpoint("b", None, {"f1": 1})],
            7,
            "no checkpoint has number 7; the file has 2, none with an epoch, so they are counted from 1",
        ),
        (
            [checkpoint("a", 1, {"f1": 1}), checkpoint("b", None, {"f1": 1})],
            None,
            "checkpoint 2: it has no epoch, and 1 of 2 checkpoints have one: nothing says where it stands; remove it "
            "from the file, or give it its epoch",
        ),
        (
            [checkpoint("a", 1, {"f1": 1}), checkpoint("b", 1, {"f1": 0})],
            1,
            "2 checkpoints have epoch 1; the file has epoch 1, epoch 1; leave the one that is meant in the file",
        ),
        (
            [checkpoint("a", 1, {"f1": 1}), checkpoint("b", 1, {"f1": 0})],
            None,
            "2 checkpoints have epoch 1; the file has epoch 1, epoch 1; leave the one that is meant in the file",
        ),
        (
            [checkpoint("a", True, {"f1": 1})],
            1,
            "$.checkpoints[0].epoch: expected int | null, got bool",
        ),
        (
            [checkpoint("a", 1, {"f1": 1}), checkpoint("b", 2, None)],
            None,
            "checkpoint 'b', epoch 2 has null in place of evaluation_metrics; choose another by checkpoint",
        ),
        (
            [checkpoint("a", 1, {})],
            None,
            "the file holds no score; a score is a number",
        ),
        (["x"], None, "$.checkpoints[0]: expected object, got str"),
    ],
)
def test_checkpoint_that_is_not_there_is_no_other_one(
    world: World, checkpoints: list[object], epoch: int | None, expected: str
) -> None:
    assert refused(world, pulled(*checkpoints), checkpoint=epoch) == f"scores.json: {expected}"


def test_file_without_checkpoints_has_none_to_choose(world: World) -> None:
    assert refused(world, {"f1": 1}, checkpoint=3) == (
        "scores.json: the file names no checkpoints, and checkpoint 3 is judged; give it a gate of its own"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"f1": 0.5,\n "f1": 0.9}', "scores.json:2:2: this is not JSON: duplicate key; correct it"),
        ('{"f1": 0.5', "scores.json:1:1: this is not JSON: unclosed bracket; correct it"),
        ('{"f1": 1e999}', "scores.json:1:8: this is not JSON: number out of range; correct it"),
        ("[" * 100_000, "scores.json:1:257: this is not JSON: nested deeper than 256 levels; correct it"),
        ('{"a":' * 300, "scores.json:1:1281: this is not JSON: nested deeper than 256 levels; correct it"),
        ("[0.5]", "scores.json: the file holds a list of 1, where an object of values by name is due"),
        ("0.5", "scores.json: the file holds the number 0.5, where an object of values by name is due"),
        ("{}", "scores.json: the file holds no score; a score is a number"),
        (
            '{"f1": "0.5", "ok": true}',
            "scores.json: the file holds no score: 'f1' is the text '0.5', 'ok' is true; a score is a number",
        ),
        (
            '{"a": {"b": 0.1}, "a.b": 0.9}',
            "scores.json: the name 'a.b' is there twice, nested and with dots; keep the one meant",
        ),
        (b'{"f1": "\xff"}', "scores.json:1: byte 0xff is not UTF-8 text; save the file as UTF-8"),
        (
            b"\x80\x04x",
            "scores.json: this is a Python pickle, which is never loaded because it can run code; export it as JSON",
        ),
    ],
)
def test_what_is_no_file_of_scores_is_refused(world: World, content: str | bytes, expected: str) -> None:
    assert refused(world, content) == expected


def test_size_is_bounded(world: World) -> None:
    assert refused(world, '{"f1": 1}' + " " * LARGEST) == (
        f"scores.json: the file has {LARGEST + 9} bytes, and {LARGEST} are read; "
        "write what is judged into a file of its own"
    )
    assert refused(world, {f"k{i}": i for i in range(ENTRIES + 1)}) == (
        f"scores.json: the file has more than {ENTRIES} entries; write what is judged into one of its own"
    )
    assert len(read(world, {f"k{i}": i for i in range(ENTRIES)}).values) == ENTRIES


def test_long_names_of_many_scores_do_not_multiply(world: World) -> None:
    name = "x" * (LONGEST + 1)
    assert refused(world, {name: {f"k{i}": i for i in range(1000)}}) == (
        f"scores.json: the name '{'x' * 59}…' is longer than {LONGEST} characters; shorten it"
    )


def test_one_file_is_due(world: World) -> None:
    source = world.source("reported", "missing.json")
    assert message(lambda: read_reported(source)) == (
        "missing.json: there is no such file; check the path, it is relative to the gate file"
    )


def test_work_grows_with_the_file_and_no_faster(world: World) -> None:
    def work(n: int) -> int:
        scores = {f"task{i}": {"f1": 0.5, "acc,none": 0.2} for i in range(n)}
        return steps(lambda: lookup(["f1", "accuracy"], read(world, scores).values, SCORES, splits=True))

    assert work(800) < 2.5 * work(400)


def find(asked: str, *names: str) -> Hits:
    return lookup([asked], names, SCORES, splits=True)[asked]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("f1", "Bounding Box F1"),
        ("F1", "f1_score"),
        ("iou", "Bounding Box Average IoU"),
        ("bertscore_recall", "BERTScore Recall"),
        ("rougeL", "ROUGE-L"),
        ("total_loss", "Total loss"),
        ("loss", "Total loss"),
        ("rougeL", "rouge.l"),
        ("mAP50-95", "mAP@0.5:0.95"),
    ],
)
def test_names_of_dashboards_are_whole_names(asked: str, name: str) -> None:
    assert find(asked, name, "other") == Hits((name,), whole=True)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("f1", "eval_f1"),
        ("f1", "test/F1"),
        ("bbox_iou", "results.refcoco.bbox_IoU,none"),
        ("refcoco.bbox_iou", "results.refcoco.bbox_IoU,none"),
        ("mAP50-95", "metrics/mAP50-95(B)"),
        ("f1", "a.b.Bounding Box F1"),
    ],
)
def test_last_parts_of_a_name_are_enough(asked: str, name: str) -> None:
    assert find(asked, name, "other") == Hits((name,), whole=False)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("f1", "bertscore_f1"),
        ("acc@10", "acc@1.0"),
        ("iou", "bbox_iou_stderr,none"),
        ("1", "f1"),
        ("l", "rougel"),
        ("_", "f1"),
        ("f1", "f1.count"),
    ],
)
def test_parts_of_words_are_not(asked: str, name: str) -> None:
    assert find(asked, name) == Hits((), whole=True)


def test_whole_names_come_before_last_parts() -> None:
    assert find("f1", "eval_f1", "F1") == Hits(("F1",), whole=True)
    assert find("f1", "eval_f1", "test_f1") == Hits(("eval_f1", "test_f1"), whole=False)
    assert find("f1", "F1", "Bounding Box F1") == Hits(("F1", "Bounding Box F1"), whole=True)
    assert find("bounding_box_f1", "F1", "Bounding Box F1") == Hits(("Bounding Box F1",), whole=True)
    assert find("acc", "accuracy") == Hits(("accuracy",), whole=True)


@pytest.mark.parametrize(
    "name",
    ["f1", "eval_f1", "macro_f1", "f1_macro", "Bounding Box Average IoU", "BERTScore Recall", "rouge_l", "exact_match",
     "mAP50-95", "mAP@0.5", "refcoco.bbox_IoU", "predict_bleu-4", "format.compliance"],
)  # fmt: skip
def test_shares_are_known_by_their_last_words(name: str) -> None:
    assert is_share(name)


@pytest.mark.parametrize(
    "name",
    ["loss", "iou_loss", "loss_iou", "f1_stderr", "recall.count", "heatmap", "perplexity", "cider", "f1_threshold"],
)
def test_other_names_are_not(name: str) -> None:
    assert not is_share(name)


@settings(deadline=None, max_examples=200)
@given(name=st.text("abF1 _-/,.@(0", min_size=1, max_size=20))
def test_names_find_themselves_as_they_can_be_written(name: str) -> None:
    if fold(name):
        assert name in find(name, name).names
        assert fold(writable(name)) == fold(name)


@settings(deadline=None, max_examples=200)
@given(name=st.text(max_size=20))
def test_folding_is_final(name: str) -> None:
    assert fold(fold(name)) == fold(name)


def test_nearest_name_is_one_that_can_be_asked_for() -> None:
    assert nearest("recal", ["results.refcoco.recall", "loss"]) == "did you mean 'recall'?"
    assert nearest("frobnicate", ["Bounding Box F1"]) == ""
    assert nearest("bounding_box_f2", ["loss", "Bounding_Box F1"]) == "did you mean 'Bounding_Box_F1'?"


@pytest.mark.real_data
def test_all_results_of_a_real_run_are_read() -> None:
    folder = real_data("llamafactory-trainer-log")
    found = read_reported(World(folder).source("reported", "all_results.json"))
    expected = json.loads((folder / "all_results.json").read_text(encoding="utf-8"))
    assert found.values == expected  # all of them numbers
    assert lookup(["loss"], found.values, SCORES, splits=True)["loss"].names == ("eval_loss", "train_loss")
