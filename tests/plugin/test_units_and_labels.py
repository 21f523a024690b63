"""What a sample is and what its labels are called: whole gates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reading import Run, cases
from worlds import FAR, GOOD, vi_prediction, vi_reference, vi_reply, write_jsonl

Record = Callable[..., dict[str, Any]]

SIZE = {"width": 1024, "height": 1024}


def write_gate(folder: Path, data: str, thresholds: str, more: str = "") -> None:
    (folder / "x.gate.yaml").write_text(f"vigate: 1\ndata:\n{data}thresholds:\n{thresholds}{more}", encoding="utf-8")


def write_expressions(folder: Path, *, pictures: int = 12, phrases: int = 3) -> None:
    """Referring expressions: on the even pictures all are found, on the odd ones none."""

    def lines(side: str) -> list[dict[str, Any]]:
        return [
            {
                "image": f"{i:02d}.jpg",
                "sent": f"number {j}",
                "bbox": [0, 100 * j, 50, 100 * j + 50] if side == "references" or i % 2 == 0 else [900, 900, 950, 950],
                **SIZE,
            }
            for i in range(pictures)
            for j in range(phrases)
        ]

    for side in ("predictions", "references"):
        write_jsonl(folder / f"{side}.jsonl", lines(side))


SIDES = "  predictions: predictions.jsonl\n  references: references.jsonl\n"


def verdict(found: dict[str, Any]) -> dict[str, Any]:
    (only,) = found["gates"][0]["verdicts"]
    assert isinstance(only, dict)
    return only


def test_with_unit_phrase_the_bootstrap_draws_pictures(pytester: pytest.Pytester, record: Record) -> None:
    write_expressions(pytester.path)
    threshold = "  bbox.recall: {min: 40%, min_samples: 30}\n"
    write_gate(pytester.path, SIDES, threshold)
    alone = record()
    write_gate(pytester.path, SIDES + "  unit: phrase\n", threshold)
    by_picture = record()
    write_gate(pytester.path, SIDES + "  attributes: [image]\n", threshold, "intervals: {cluster: image}\n")
    clustered = record()
    for found in (alone, by_picture, clustered):
        assert (verdict(found)["verdict"], verdict(found)["value"], verdict(found)["samples"]) == ("passed", 0.5, 36)
    low, high = verdict(by_picture)["low"], verdict(by_picture)["high"]
    assert (low, high) == (verdict(clustered)["low"], verdict(clustered)["high"])
    assert high - low > 1.5 * (verdict(alone)["high"] - verdict(alone)["low"])
    entry = by_picture["gates"][0]
    assert (entry["unit"], entry["intervals"]["drawn"], entry["intervals"]["cluster"]) == ("phrase", "picture", None)
    assert (alone["gates"][0]["unit"], alone["gates"][0]["intervals"]["drawn"]) == (None, "sample")
    assert clustered["gates"][0]["intervals"]["drawn"] == "image"


def test_a_declared_cluster_wins_over_pictures(pytester: pytest.Pytester, record: Record) -> None:
    write_expressions(pytester.path)
    more = "intervals: {cluster: sent}\n"
    write_gate(pytester.path, SIDES + "  attributes: [sent]\n", "  bbox.recall: {min: 40%}\n", more)
    clustered = verdict(record())
    write_gate(pytester.path, SIDES + "  attributes: [sent]\n  unit: phrase\n", "  bbox.recall: {min: 40%}\n", more)
    both = verdict(record())
    assert (both["low"], both["high"]) == (clustered["low"], clustered["high"])


def test_slices_draw_only_the_pictures_that_are_in_them(pytester: pytest.Pytester, record: Record) -> None:
    write_expressions(pytester.path)
    data = SIDES + "  attributes: [image]\n  unit: phrase\n"
    write_gate(pytester.path, data, '  bbox.recall: {min: 40%, where: {image: ["10.jpg", "11.jpg"]}}\n')
    found = verdict(record())
    # of two pictures, one wholly right and one wholly wrong, a quarter of the draws takes one of them twice
    assert (found["samples"], found["value"], found["low"], found["high"]) == (6, 0.5, 0.0, 1.0)


@pytest.mark.parametrize(("unit", "f1", "samples"), [("", 1.0, 1), ("  unit: phrase\n", 0.0, 2)])
def test_a_box_under_the_wrong_phrase_is_wrong_where_phrases_are_samples(
    pytester: pytest.Pytester, record: Record, unit: str, f1: float, samples: int
) -> None:
    swapped = vi_reply(("dent", [FAR]), ("rust", [GOOD]))
    write_jsonl(pytester.path / "predictions.jsonl", [vi_prediction("a.jpg", swapped)])
    write_jsonl(pytester.path / "references.jsonl", [vi_reference("a.jpg", ("dent", [GOOD]), ("rust", [FAR]))])
    write_gate(pytester.path, SIDES + unit, "  bbox.f1: {min: 50%}\n")
    found = verdict(record())
    assert (found["value"], found["samples"]) == (f1, samples)


def test_with_unit_image_the_records_of_a_picture_are_one_sample(pytester: pytest.Pytester, record: Record) -> None:
    write_expressions(pytester.path)
    write_gate(pytester.path, SIDES + "  unit: image\n", "  bbox.acc: {min: 40%}\n")
    found = verdict(record())
    assert (found["verdict"], found["value"], found["samples"]) == ("passed", 0.5, 12)


def test_gates_that_differ_in_their_unit_alone_share_no_samples(pytester: pytest.Pytester, record: Record) -> None:
    write_expressions(pytester.path)
    for name, unit in (("a", ""), ("b", "  unit: image\n")):
        write_gate(pytester.path, SIDES + unit, "  bbox.acc: {min: 40%}\n")
        (pytester.path / "x.gate.yaml").rename(pytester.path / f"{name}.gate.yaml")
    assert [gate["verdicts"][0]["samples"] for gate in record()["gates"]] == [36, 12]


def test_unit_that_the_records_do_not_carry_is_unmeasurable(pytester: pytest.Pytester, record: Record) -> None:
    for side in ("predictions", "references"):
        write_jsonl(pytester.path / f"{side}.jsonl", [{"id": 1, "boxes": [], "labels": [], "side": side}])
    boxes = "{order: xyxy, space: pixels}"
    data = "".join(f"  {side}: {{path: {side}.jsonl, boxes: {boxes}}}\n" for side in ("predictions", "references"))
    write_gate(pytester.path, data + "  unit: image\n", "  bbox.f1: {min: 40%}\n")
    assert verdict(record())["message"] == (
        "bbox.f1 cannot be measured: references.jsonl: unit: image takes the records of a picture together, but not "
        "every record names its picture; name the field that does: fields: {image: …}, or remove unit"
    )


def write_voc(folder: Path, side: str, label: str) -> None:
    (folder / side).mkdir(exist_ok=True)
    for stem in "ab":
        (folder / side / f"{stem}.xml").write_text(
            f"<annotation><filename>{stem}.jpg</filename><object><name>{label}</name><bndbox><xmin>1</xmin>"
            "<ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>",
            encoding="utf-8",
        )


@pytest.mark.parametrize(
    ("label", "problem", "fix"),
    [
        (
            "auto",
            "predicted: no predicted label is known to truth: predictions have 'auto', references 'car'; "
            "say which mean the same: labels_map: {auto: car} under predictions",
            "labels_map: {auto: car}",
        ),
        (
            "Car",
            "predicted: predicted labels differ from those of truth in case or white space only; "
            "declare labels_map: {Car: car} under predictions",
            "labels_map: {Car: car}",
        ),
    ],
)
def test_vocabularies_that_do_not_meet_are_an_error_with_its_fix(
    pytester: pytest.Pytester, run: Run, label: str, problem: str, fix: str
) -> None:
    write_voc(pytester.path, "predicted", label)
    write_voc(pytester.path, "truth", "car")
    write_gate(pytester.path, "  predictions: predicted\n  references: truth\n", "  bbox.f1: {min: 99%}\n")
    run("--junit-xml=gates.xml").assert_outcomes(errors=1)
    error = cases(pytester.path / "gates.xml")["bbox.f1"].find("error")
    assert error is not None
    assert str(error.text).splitlines()[0] == f"unmeasurable: bbox.f1 cannot be measured: {problem}"
    write_gate(
        pytester.path,
        f"  predictions: {{path: predicted, {fix}}}\n  references: truth\n",
        "  bbox.f1: {min: 99%}\n",
    )
    run().assert_outcomes(passed=1)


def test_labels_that_are_ignored_need_not_meet(pytester: pytest.Pytester, run: Run) -> None:
    write_voc(pytester.path, "predicted", "auto")
    write_voc(pytester.path, "truth", "car")
    write_gate(
        pytester.path,
        "  predictions: predicted\n  references: truth\n",
        "  bbox.f1: {min: 99%}\n",
        "metrics: {bbox: {labels: ignore}}\n",
    )
    run().assert_outcomes(passed=1)


@pytest.mark.parametrize("rule", ["one-based", "{1: cat, 2: dog}"])
def test_ultralytics_predictions_against_labels_that_count_from_zero(
    pytester: pytest.Pytester, run: Run, rule: str
) -> None:
    (pytester.path / "labels").mkdir()
    (pytester.path / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n1 0.25 0.25 0.5 0.5\n", encoding="utf-8")
    (pytester.path / "data.yaml").write_text("names: [cat, dog]\n", encoding="utf-8")
    results = [
        {"image_id": "a", "file_name": "a.jpg", "category_id": code, "bbox": box, "score": 0.9}
        for code, box in ((1, [25, 25, 50, 50]), (2, [0, 0, 50, 50]))
    ]
    (pytester.path / "predictions.json").write_text(json.dumps(results), encoding="utf-8")
    references = "  references: {path: labels, boxes: {order: cxcywh, space: unit, size: [100, 100]}}\n"
    write_gate(pytester.path, "  predictions: predictions.json\n" + references, "  bbox.f1: {min: 99%}\n")
    run().assert_outcomes(errors=1)
    mapped = f"  predictions: {{path: predictions.json, labels_map: {rule}}}\n"
    write_gate(pytester.path, mapped + references, "  bbox.f1: {min: 99%}\n")
    run().assert_outcomes(passed=1)


def test_the_two_exports_of_vi_as_csv_agree(pytester: pytest.Pytester, run: Run) -> None:
    (pytester.path / "corners.csv").write_text(
        "filename,xmin,ymin,xmax,ymax,class\na.jpg,0.1,0.2,0.3,0.6,car\n", encoding="utf-8"
    )
    (pytester.path / "extents.csv").write_text(
        "filename,x,y,width,height,class\na.jpg,0.1,0.2,0.2,0.4,car\n", encoding="utf-8"
    )
    write_gate(
        pytester.path,
        "  predictions: {path: corners.csv, boxes: {order: xyxy, space: unit}}\n"
        "  references: {path: extents.csv, boxes: {order: xywh, space: unit}}\n",
        "  bbox.iou: {min: 99%}\n",
    )
    run().assert_outcomes(passed=1)
