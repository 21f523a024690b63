"""Gates on the confusion matrix: conditions on its cells, the matrix on the terminal and in the run record."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from reading import Run
from worlds import write_gate, write_jsonl

Record = Callable[..., dict[str, Any]]

SIDE = "format: jsonl, boxes: {order: xyxy, space: pixels}"
HEAD = f"""\
vigate: 1
data:
  predictions: {{path: predictions.jsonl, {SIDE}}}
  references: {{path: references.jsonl, {SIDE}}}
  attributes: [lighting]
thresholds:
"""

#: An object of a picture: what it is, what it is called; None where there is none.
Kind = tuple[str | None, str | None]

# dent: 3 dent, 2 scratch, 2 missed. scratch: 4 scratch, 1 dent. rust: 2 rust. Invented: 1 dent.
PICTURES: tuple[tuple[str, str, tuple[Kind, ...]], ...] = (
    ("a.jpg", "day", (("dent", "dent"), ("dent", "scratch"), ("scratch", "scratch"))),
    ("b.jpg", "day", (("dent", "scratch"), ("dent", None), ("scratch", "dent"))),
    ("c.jpg", "night", (("dent", "dent"), ("scratch", "scratch"), ("rust", "rust"))),
    ("d.jpg", "night", (("dent", None), ("scratch", "scratch"), (None, "dent"))),
    ("e.jpg", "day", (("dent", "dent"), ("scratch", "scratch"), ("rust", "rust"))),
)


def write_pictures(folder: Path, pictures: Sequence[tuple[str, str, Sequence[Kind]]] = PICTURES) -> None:
    """Pictures whose objects stand side by side, so that a prediction meets its own reference alone."""
    for side, name in enumerate(("references.jsonl", "predictions.jsonl")):
        write_jsonl(
            folder / name,
            [
                {
                    "id": picture,
                    "lighting": lighting,
                    "side": side,  # two files of one content would be refused
                    "boxes": [
                        {"box": [100 * i, 0, 100 * i + 50, 50], "label": kind[side]}
                        for i, kind in enumerate(kinds)
                        if kind[side] is not None
                    ],
                }
                for picture, lighting, kinds in pictures
            ],
        )


@pytest.fixture
def pictures(pytester: pytest.Pytester) -> Path:
    write_pictures(pytester.path)
    return pytester.path


def judged(record: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Verdict, value and samples of every threshold."""
    return [(item["verdict"], item["value"], item["samples"]) for item in record["gates"][0]["verdicts"]]


def groups(record: dict[str, Any]) -> dict[str, Any]:
    """Values of the groups of the only threshold."""
    (verdict,) = record["gates"][0]["verdicts"]
    return {group["group"]: group["value"] for group in verdict["groups"]}


def test_scores_pool_the_boxes_of_all_pictures(pictures: Path, record: Record) -> None:
    # 9 of 12 pairs are right; 2 of 14 references missed; 1 of 13 predictions invented.
    write_gate(
        pictures,
        "  confusion.accuracy: {min: 75%}\n  confusion.missed: {max: 14%}\n  confusion.invented: {max: 8%}\n",
        head=HEAD,
    )
    found = record()
    assert judged(found) == [("passed", 0.75, 5), ("failed", 2 / 14, 5), ("passed", 1 / 13, 5)]
    assert {item["method"] for item in found["gates"][0]["verdicts"]} == {"bootstrap"}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("{actual: dent, predicted: scratch}", ("failed", 2 / 7, 5)),
        ("{actual: dent, predicted: [scratch, rust]}", ("failed", 2 / 7, 5)),
        ("{actual: dent, predicted: [scratch, background]}", ("failed", 4 / 7, 5)),
        ("{actual: [dent, scratch], predicted: dent}", ("failed", 4 / 12, 5)),
        ("{actual: rust, predicted: rust}", ("failed", 1.0, 2)),
        ("{actual: background, predicted: dent}", ("failed", 1.0, 1)),
        ("{actual: dent, predicted: scratch, lighting: day}", ("failed", 2 / 5, 3)),
        ("{actual: dent, predicted: scratch, lighting: night}", ("passed", 0.0, 2)),
        ("{actual: dent, predicted: rust}", ("passed", 0.0, 5)),
    ],
)
def test_rate_is_a_cell_as_share_of_its_row(
    pictures: Path, record: Record, where: str, expected: tuple[str, float, int]
) -> None:
    write_gate(pictures, f"  confusion.rate: {{max: 10%, where: {where}}}\n", head=HEAD)
    assert judged(record()) == [expected]


def test_empty_cell_has_an_interval_that_few_samples_leave_wide(pictures: Path, record: Record) -> None:
    # Five pictures with dents, none called rust. Clopper–Pearson: 1 - 0.025 ** (1 / 5) = 0.5218…
    write_gate(
        pictures,
        "  confusion.rate:\n    - {max: 60%, where: {actual: dent, predicted: rust}}\n"
        "    - {max: 10%, where: {actual: dent, predicted: rust}, confidence: 95%, id: sure}\n",
        head=HEAD,
    )
    found = record()["gates"][0]["verdicts"]
    assert [(item["verdict"], item["method"]) for item in found] == [
        ("passed", "clopper-pearson"),
        ("inconclusive", "clopper-pearson"),
    ]
    assert (found[0]["low"], found[0]["high"]) == (0.0, pytest.approx(1 - 0.025 ** (1 / 5)))


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        # Without a condition on the column: the columns that the row fills.
        (
            "rate: {max: 50%, per: predicted, where: {actual: dent}}",
            {"background": 2 / 7, "dent": 3 / 7, "scratch": 2 / 7},
        ),
        # With one: the columns that it names, an empty one too, and no others.
        (
            "rate: {max: 50%, per: predicted, where: {actual: dent, predicted: [scratch, rust]}}",
            {"rust": 0.0, "scratch": 2 / 7},
        ),
        (
            "rate: {max: 90%, per: actual, where: {predicted: scratch}}",
            {"background": 0.0, "dent": 2 / 7, "rust": 0.0, "scratch": 4 / 5},
        ),
        (
            "rate: {max: 50%, per: actual, where: {actual: [dent, rust], predicted: scratch}}",
            {"dent": 2 / 7, "rust": 0},
        ),
        ("rate: {max: 50%, per: lighting, where: {actual: dent, predicted: scratch}}", {"day": 2 / 5, "night": 0.0}),
        ("missed: {max: 50%, per: actual}", {"background": None, "dent": 2 / 7, "rust": 0.0, "scratch": 0.0}),
        ("invented: {max: 50%, per: predicted}", {"background": None, "dent": 1 / 5, "rust": 0.0, "scratch": 0.0}),
        ("accuracy: {min: 50%, per: predicted}", {"background": None, "dent": 3 / 4, "rust": 1.0, "scratch": 4 / 6}),
    ],
)
def test_groups_are_rows_columns_or_values(
    pictures: Path, record: Record, threshold: str, expected: dict[str, float | None]
) -> None:
    write_gate(pictures, f"  confusion.{threshold}\n", head=HEAD)
    found = record()
    assert groups(found) == expected
    assert judged(found)[0][0] == "passed"


def test_no_confusion_at_all_passes_for_every_column_that_is_named(pytester: pytest.Pytester, record: Record) -> None:
    write_pictures(pytester.path, [("a.jpg", "day", [("dent", "dent"), ("rust", "rust")]), ("b.jpg", "day", [])])
    write_gate(
        pytester.path,
        "  confusion.rate: {max: 10%, per: predicted, where: {actual: dent, predicted: [rust, background]}}\n",
        head=HEAD,
    )
    found = record()
    assert groups(found) == {"background": 0.0, "rust": 0.0}
    assert judged(found) == [("passed", 0.0, 1)]


def test_cells_of_one_row_and_other_scores_of_one_cell_are_judged_apart(pictures: Path, record: Record) -> None:
    write_gate(
        pictures,
        "  confusion.rate:\n    - {max: 10%, where: {actual: scratch, predicted: dent}}\n"
        "    - {max: 10%, where: {actual: scratch, predicted: rust}}\n"
        "  confusion.accuracy:\n    - {min: 80%, where: {actual: scratch}}\n"
        "    - {min: 80%, where: {actual: scratch, predicted: dent}}\n",
        head=HEAD,
    )
    assert judged(record()) == [
        ("failed", 1 / 5, 5),
        ("passed", 0.0, 5),
        ("passed", 4 / 5, 5),
        ("failed", 0.0, 1),  # the cell alone: one pair, and its label is wrong
    ]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            "{actual: dent, predicted: scrach}",
            "no sample has predicted=scrach: the data has 'background', 'dent', 'rust', 'scratch'; "
            "did you mean 'scratch'?",
        ),
        (
            "{actual: dnt, predicted: scratch}",
            "no sample has actual=dnt: the data has 'background', 'dent', 'rust', 'scratch'; did you mean 'dent'?",
        ),
        (
            "{actual: rust, predicted: dent, lighting: dawn}",
            "no sample has lighting=dawn: the data has 'day', 'night'; zero samples prove nothing",
        ),
        (
            "{actual: background, predicted: dent, lighting: day}",
            "no sample has actual=background and lighting=day together; zero samples prove nothing",
        ),
    ],
)
def test_rate_of_a_row_without_boxes_cannot_be_measured(
    pictures: Path, record: Record, where: str, message: str
) -> None:
    write_gate(pictures, f"  confusion.rate: {{max: 10%, where: {where}}}\n", head=HEAD)
    (verdict,) = record()["gates"][0]["verdicts"]
    assert verdict["verdict"] == "unmeasurable"
    assert verdict["message"] == f"confusion.rate cannot be measured: {message}"


def test_row_of_a_class_that_only_predictions_have_cannot_be_measured(
    pytester: pytest.Pytester, record: Record
) -> None:
    write_pictures(pytester.path, [("a.jpg", "day", [("dent", "rust"), ("dent", "dent")])])
    write_gate(pytester.path, "  confusion.rate: {max: 10%, where: {actual: rust, predicted: dent}}\n", head=HEAD)
    (verdict,) = record()["gates"][0]["verdicts"]
    assert verdict["message"] == (
        "confusion.rate cannot be measured: no sample has actual=rust: the data has 'dent'; zero samples prove nothing"
    )


def test_data_without_boxes_has_no_rate(pytester: pytest.Pytester, record: Record) -> None:
    write_pictures(pytester.path, [("a.jpg", "day", []), ("b.jpg", "night", [])])
    write_gate(pytester.path, "  confusion.rate: {max: 10%, where: {actual: dent, predicted: background}}\n", head=HEAD)
    (verdict,) = record()["gates"][0]["verdicts"]
    assert verdict["message"] == (
        "confusion.rate cannot be measured: no sample has actual=dent: no record has this field; "
        "zero samples prove nothing"
    )


def test_class_that_is_never_predicted_is_a_group_that_cannot_be_measured(
    pytester: pytest.Pytester, record: Record
) -> None:
    # Every dent is found, no rust ever said: the accuracy of what is called rust is unknown, not left out.
    write_pictures(pytester.path, [(f"{i}.jpg", "day", [("dent", "dent"), ("rust", None)]) for i in range(12)])
    write_gate(pytester.path, "  confusion.accuracy: {min: 90%, per: predicted}\n", head=HEAD)
    (verdict,) = record()["gates"][0]["verdicts"]
    assert verdict["verdict"] == "unmeasurable"
    assert {group["group"]: group["verdict"] for group in verdict["groups"]}["rust"] == "unmeasurable"


def test_confusions_of_what_was_never_found_cannot_be_measured(pytester: pytest.Pytester, record: Record) -> None:
    write_pictures(pytester.path, [(f"{i}.jpg", "day", [("dent", "dent"), ("rust", None)]) for i in range(12)])
    write_gate(pytester.path, "  confusion.rate: {max: 5%, where: {actual: rust, predicted: dent}}\n", head=HEAD)
    (verdict,) = record()["gates"][0]["verdicts"]
    assert (verdict["verdict"], verdict["value"]) == ("unmeasurable", None)


def test_misspelt_column_beside_a_right_one_is_said(pictures: Path, record: Record) -> None:
    write_gate(
        pictures, "  confusion.rate: {max: 50%, where: {actual: dent, predicted: [scratch, rusty]}}\n", head=HEAD
    )
    (verdict,) = record()["gates"][0]["verdicts"]
    assert "no sample has predicted=rusty; did you mean 'rust'?" in verdict["notes"]


@pytest.mark.parametrize(
    ("threshold", "problem"),
    [
        (
            "rate: {max: 10%}",
            "7:3: $.thresholds['confusion.rate']: confusion.rate counts what a condition on 'predicted' names, and "
            "there is none; add where: {predicted: …}\n"
            "car.gate.yaml:7:3: $.thresholds['confusion.rate']: confusion.rate is a share of what a condition on "
            "'actual' names, and there is none; add where: {actual: …}",
        ),
        (
            "rate: {max: 10%, where: {predicted: scratch}}",
            "7:3: $.thresholds['confusion.rate']: confusion.rate is a share of what a condition on 'actual' names, and "
            "there is none; add where: {actual: …}",
        ),
        (
            "rate: {max: 10%, where: {actual: dent}}",
            "7:3: $.thresholds['confusion.rate']: confusion.rate counts what a condition on 'predicted' names, and "
            "there is none; add where: {predicted: …}",
        ),
        (
            "rate: {max: 10%, where: {actual: dent, predictd: dent}}",
            "7:3: $.thresholds['confusion.rate']: confusion.rate counts what a condition on 'predicted' names, and "
            "there is none; add where: {predicted: …}\n"
            "car.gate.yaml:7:62: $.thresholds['confusion.rate'].where.predictd: 'predictd' is neither in "
            "data.attributes nor a key of confusion; did you mean 'predicted'?",
        ),
        (
            "missed: {max: 10%, per: predicted}",
            "7:37: $.thresholds['confusion.missed'].per: a cut by 'predicted' leaves nothing of what confusion.missed "
            "counts, so it could never fail; name actual instead",
        ),
        (
            "invented: {max: 10%, where: {actual: dent}}",
            "7:50: $.thresholds['confusion.invented'].where.actual: a cut by 'actual' leaves nothing of what "
            "confusion.invented counts, so it could never fail; name predicted instead",
        ),
        (
            "missed: {min: 10%}",
            "7:27: $.thresholds['confusion.missed'].min: confusion.missed is better when lower, so it takes a max, "
            "not a min",
        ),
        (
            "accuracy: {min: 50%, where: {label: dent}}",
            "7:49: $.thresholds['confusion.accuracy'].where.label: 'label' is neither in data.attributes nor a key of "
            "confusion; list it under data.attributes",
        ),
    ],
)
def test_threshold_that_names_the_wrong_key_is_a_problem(
    pictures: Path, run: Run, threshold: str, problem: str
) -> None:
    write_gate(pictures, f"  confusion.{threshold}\n", head=HEAD)
    result = run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    found = "\n".join(line for line in result.outlines if line.startswith("car.gate.yaml:"))
    assert found == f"car.gate.yaml:{problem}"


def summary(result: pytest.RunResult) -> str:
    """The terminal's part of the plugin."""
    lines = result.outlines
    start = next(i for i, line in enumerate(lines) if line.strip("= ") == "vigate")
    stop = next(i for i, line in enumerate(lines) if " thresholds judged: " in line)
    return "\n".join(lines[start + 1 : stop]).lstrip("\n") + "\n"  # pytest ends a green line of dots twice


def test_terminal_shows_matrix_and_largest_confusions(pictures: Path, run: Run) -> None:
    write_gate(
        pictures,
        "  confusion.accuracy: {min: 75%}\n  confusion.rate: {max: 10%, where: {actual: dent, predicted: scratch}}\n"
        "  coverage.predictions: {min: 90%}\nintervals: {draws: 0}\n",
        head=HEAD,
    )
    result = run()
    assert summary(result) == textwrap.dedent("""\
        car.gate.yaml
          confusion.accuracy                             0.750  >= 0.75  -  n=5  passed
          confusion.rate[actual=dent,predicted=scratch]  0.286  <= 0.1   -  n=5  failed
          coverage.predictions                           1.000  >= 0.9   -  n=5  passed
          confusion: references in rows, predictions in columns
                        dent  scratch  rust  background
            dent           3        2     .           2
            scratch        1        4     .           .
            rust           .        .     2           .
            background     1        .     .           .
            'dent' taken for 'scratch' 2 times (28.6% of its row): a.jpg, b.jpg
            'dent' missed 2 times (28.6% of its row): b.jpg, d.jpg
            'scratch' taken for 'dent' once (20% of its row): b.jpg
        """)
    failure = "\n".join(result.outlines).partition("failed: ")[2].partition("\n=====")[0]
    assert f"failed: {failure}\n" == textwrap.dedent("""\
        failed: confusion.rate where actual=dent, predicted=scratch is 0.286, must be <= 0.1; the 2 worst samples have 2 in the cell
        no interval, 5 samples
        diagnosis:
          largest confusions: 'dent' taken for 'scratch' (2), 'dent' missed (2)
          2 of 4 errors are missed objects: add examples of 'dent', or lower the confidence threshold
        worst samples:
          a.jpg: 1 in the cell (costs 0.086)
          b.jpg: 1 in the cell (costs 0.086)
        reproduce: pytest 'car.gate.yaml::confusion.rate[actual=dent,predicted=scratch]'
        """)  # noqa: E501  the first line of a failure is one line


def test_every_gate_and_every_configuration_shows_its_own_matrix(pictures: Path, run: Run) -> None:
    write_gate(
        pictures,
        "  confusion.accuracy: {min: 75%}\n  hard.accuracy: {min: 75%}\n",
        head=HEAD.replace("thresholds:\n", "metrics:\n  hard: {metric: confusion, iou: 0.75}\nthresholds:\n"),
    )
    write_gate(pictures, "  confusion.accuracy: {min: 75%}\n", name="van", head=HEAD)
    heads = [line.strip() for line in run().outlines if line.endswith("predictions in columns")]
    assert heads == [
        f"{name}: references in rows, predictions in columns" for name in ("confusion", "hard", "confusion")
    ]


def test_gate_on_other_families_shows_no_matrix(pictures: Path, run: Run) -> None:
    write_gate(pictures, "  coverage.predictions: {min: 90%}\nintervals: {draws: 0}\n", head=HEAD)
    assert summary(run()) == "car.gate.yaml\n  coverage.predictions  1.000  >= 0.9  -  n=5  passed\n"


def test_record_holds_the_whole_matrix_and_no_rate_without_a_column(pictures: Path, record: Record) -> None:
    write_gate(pictures, "  confusion.accuracy: {min: 75%}\n", head=HEAD)
    (family,) = record()["gates"][0]["families"]
    assert set(family["scores"]) == {"accuracy", "missed", "invented"}
    assert family["measures"] == {
        "labels": ["dent", "scratch", "rust", "background"],
        "matrix": {
            "dent": {"dent": 3, "scratch": 2, "background": 2},
            "scratch": {"dent": 1, "scratch": 4},
            "rust": {"rust": 2},
            "background": {"dent": 1},
        },
        "largest": [
            {
                "actual": "dent",
                "predicted": "scratch",
                "what": "'dent' taken for 'scratch'",
                "count": 2,
                "share": 2 / 7,
                "samples": ["a.jpg", "b.jpg"],
            },
            {
                "actual": "dent",
                "predicted": "background",
                "what": "'dent' missed",
                "count": 2,
                "share": 2 / 7,
                "samples": ["b.jpg", "d.jpg"],
            },
            {
                "actual": "scratch",
                "predicted": "dent",
                "what": "'scratch' taken for 'dent'",
                "count": 1,
                "share": 1 / 5,
                "samples": ["b.jpg"],
            },
        ],
    }


HOSTILE = "\x1b[2J\n::error::owned\n]]><x>\u202e ##vso[task.complete result=Succeeded;]"


def test_hostile_labels_arrive_whole_and_cannot_speak(pytester: pytest.Pytester, run: Run) -> None:
    endless = "x" * 1_000_000
    kinds = ((HOSTILE, "::error::b"), ("::error::b", HOSTILE), (f"{endless}1", f"{endless}2"), (f"{endless}2", None))
    write_pictures(pytester.path, [(HOSTILE, "day", [*kinds, (HOSTILE, HOSTILE)])])
    write_gate(pytester.path, "  confusion.accuracy: {min: 75%}\n", head=HEAD)
    result = run("--vigate-json=vigate.json")
    result.assert_outcomes(failed=1)
    printed = "\n".join(result.outlines)
    assert not [line for line in result.outlines if line.lstrip().startswith("::")]
    assert not [word for word in ("\x1b", "\u202e", "##vso[") if word in printed]
    assert len(printed) < 20_000
    path = pytester.path / "vigate.json"
    assert path.stat().st_size < 200_000
    measures = json.loads(path.read_text(encoding="utf-8"))["gates"][0]["families"][0]["measures"]
    assert measures["matrix"][HOSTILE] == {"::error::b": 1, HOSTILE: 1}
    assert set(measures["matrix"]) == set(measures["labels"][:-1])
    assert sum(count for row in measures["matrix"].values() for count in row.values()) == 5
    assert sum(len(row) for row in measures["matrix"].values()) == 5  # cut labels stay two


def test_workers_give_the_record_and_the_matrix_of_one_process(pictures: Path, run: Run) -> None:
    pytest.importorskip("xdist")
    kinds = [(name, "day", [(HOSTILE, "é 日本"), ("é 日本", None), ("a", "a")]) for name in ("f.jpg", "g.jpg")]
    write_pictures(pictures, [*PICTURES, *kinds])
    write_gate(
        pictures,
        "  confusion.accuracy: {min: 75%}\n  confusion.missed: {max: 10%, per: actual}\n"
        "  confusion.rate: {max: 10%, where: {actual: dent, predicted: [scratch, rust]}, per: predicted}\n",
        head=HEAD,
    )
    alone = run("--vigate-json=alone.json", "-p", "no:xdist")
    workers = run("--vigate-json=workers.json", "-n", "2")
    assert summary(workers) == summary(alone)
    found = [json.loads((pictures / f"{name}.json").read_text(encoding="utf-8")) for name in ("alone", "workers")]
    assert found[0] == found[1]
    assert found[0]["gates"][0]["families"][0]["measures"]["matrix"][HOSTILE] == {"é 日本": 2}


def test_labels_that_do_not_meet_cannot_be_measured(pytester: pytest.Pytester, record: Record) -> None:
    write_pictures(pytester.path, [("a.jpg", "day", [("a dent", "dent"), ("a scratch", "scratch")])])
    write_gate(pytester.path, "  confusion.missed: {max: 10%}\n", head=HEAD)
    (verdict,) = record()["gates"][0]["verdicts"]
    assert verdict["verdict"] == "unmeasurable"
    assert verdict["message"] == (
        "confusion.missed cannot be measured: predictions.jsonl: no predicted label is known to references.jsonl: "
        "predictions have 'dent', 'scratch', references 'a dent', 'a scratch'; say which mean the same: "
        "labels_map: {dent: a dent} under predictions"
    )
