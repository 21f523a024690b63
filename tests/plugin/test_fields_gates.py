"""Gates on the fields of structured replies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reading import Run
from worlds import write_jsonl, write_replies

Record = Callable[..., dict[str, Any]]
#: As `write_replies` has them: i = 0, 1, 2 with a wrong severity, a swap, a missing and an invented field.
WRONG = (
    {"defect_found": True, "defect_type": "scratch", "severity": "LOW", "width": 10.4, "location": {"x": 0, "y": 0}},
    {"defect_found": False, "defect_type": "dent", "severity": "medium", "width": 11, "location": {"x": 5, "y": 3}},
    {"defect_found": True, "defect_type": "dent", "severity": "high", "location": {"x": 6, "y": 10}, "colour": "red"},
)
PARTS = [[{"name": f"bolt {j}", "count": j + 1} for j in range(1 + i % 3)][::-1] for i in range(3)]


def write(folder: Path, thresholds: str, metrics: str = "{}", *, wrong: bool = True) -> None:
    said = [json.dumps({**reply, "parts": parts}) for reply, parts in zip(WRONG, PARTS, strict=True)]
    write_replies(folder, wrong=[*said, "Sorry."] if wrong else [])
    (folder / "g.gate.yaml").write_text(
        "vigate: 1\ndata: {predictions: replies.jsonl, references: documents.jsonl, attributes: [kind]}\n"
        f"metrics: {metrics}\nthresholds:\n{thresholds}",
        encoding="utf-8",
    )


def verdicts(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {verdict["id"].partition("::")[2]: verdict for gate in record["gates"] for verdict in gate["verdicts"]}


def test_scores_by_field(pytester: pytest.Pytester, record: Record) -> None:
    write(
        pytester.path,
        "  fields.accuracy:\n"
        "    - {min: 50%}\n"
        "    - {min: 95%, where: {field: severity}}\n"
        "    - {min: 60%, per: field}\n"
        "  fields.exact: {min: 50%, where: {field: [severity, width]}}\n"
        "  fields.missing: {max: 50%, where: {field: width}}\n"
        "  fields.invented:\n"
        "    - {max: 50%}\n"
        "    - {max: 50%, where: {field: defect_type}}\n"
        "    - {max: 50%, where: {field: severity}}\n",
    )
    found = verdicts(record())
    # Slots: 6 and two a part, 1 + i % 3 parts: 20 · 6 + 2 · (7 · 1 + 7 · 2 + 6 · 3) = 198, and colour.
    # Not right: severity and width of the first; type, x and y of the second; width and colour of the third; all 8 of
    # the fourth, its type null.
    assert found["fields.accuracy"]["value"] == pytest.approx(1 - (2 + 3 + 2 + 8) / 199)
    assert (found["fields.accuracy"]["samples"], found["fields.accuracy"]["verdict"]) == (20, "passed")
    severity = found["fields.accuracy[field=severity]"]
    assert (severity["value"], severity["verdict"], severity["samples"]) == (18 / 20, "failed", 20)
    assert severity["diagnosis"][1:] == [
        "no document: 1",
        severity["diagnosis"][2],
        "severity wrong: 1",
        "  'r0': found 'LOW', due 'low'",
    ]
    assert [sample["id"] for sample in severity["worst"]] == ["r0", "r3"]
    groups = {group["group"]: group["value"] for group in found["fields.accuracy[per field]"]["groups"]}
    assert groups == pytest.approx(
        {
            "$.location.x": 18 / 20,
            "$.location.y": 18 / 20,
            "$.parts[*].count": 38 / 39,
            "$.parts[*].name": 38 / 39,
            "colour": 0,
            "defect_found": 19 / 20,
            "defect_type": 18 / 20,
            "severity": 18 / 20,
            "width": 17 / 20,
        }
    )
    assert found["fields.accuracy[per field]"]["verdict"] == "passed"  # colour is nobody's field
    assert "left out, for the references lack them: 'colour'" in found["fields.accuracy[per field]"]["notes"]
    assert found["fields.exact[field=severity|width]"]["value"] == 17 / 20
    assert found["fields.missing[field=width]"]["value"] == 2 / 20
    # Values of the replies: all 198 + 1, but 10 null types, one of which got a value, a missing width, and what the
    # fourth (7 values) would have said; it counts as one that is invented.
    assert found["fields.invented"]["value"] == pytest.approx(3 / (199 - 9 - 1 - 8 + 1 + 1))
    assert found["fields.invented[field=defect_type]"]["value"] == pytest.approx(2 / 12)
    nothing = found["fields.invented[field=severity]"]
    assert (nothing["verdict"], nothing["value"], nothing["samples"]) == ("passed", 1 / 20, 20)
    assert (
        "every reference has a value here: only a field that no reference has could be invented; what counts are "
        "replies that are no documents"
    ) in nothing["notes"]


def test_comparisons_of_a_gate(pytester: pytest.Pytester, record: Record) -> None:
    write(
        pytester.path,
        "  fields.accuracy: {min: 50%, where: {field: [severity, width, location]}}\n",
        "{fields: {compare: {severity: casefold, width: {as: number, relative: 5%}, $.location: exact, "
        "'$.parts[*].count': ignore, '$.parts[*].name': {as: text, score: chrf, min: 0.5}}}}",
    )
    run = record()
    (found,) = verdicts(run).values()
    # 60 slots; wrong are the second location, the third width, and three of the fourth.
    assert found["value"] == pytest.approx(55 / 60)
    assert "compare:{'severity': 'casefold', 'width': {'as': 'number', 'relative': '5%'}" in found["signature"]
    (family,) = run["gates"][0]["families"]
    assert family["parameters"]["compare"]["width"] == {"as": "number", "relative": "5%"}


def test_swapped_fields_and_dear_samples_are_in_the_text(pytester: pytest.Pytester, run: Run) -> None:
    write(pytester.path, "  fields.exact: {min: 99%}\n")
    run().stdout.fnmatch_lines(
        [
            "*failed: fields.exact*",
            "*diagnosis:*",
            "*15 of 199 fields are not right; most of them: width (3 of 20), *",
            "*'$.location.x' and '$.location.y' are swapped in 1 reply*",
        ]
    )


def test_replies_without_a_document_never_pass_where_their_fields_are_ignored(
    pytester: pytest.Pytester, record: Record
) -> None:
    write_replies(pytester.path, wrong=['{"note": "new"}', *["Sorry."] * 19])
    lines = (pytester.path / "documents.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    for i, item in enumerate(records):
        item["reference"] = {"x": 1} if i else {"note": "new"}
    write_jsonl(pytester.path / "documents.jsonl", records)
    (pytester.path / "g.gate.yaml").write_text(
        "vigate: 1\ndata: {predictions: replies.jsonl, references: documents.jsonl, attributes: [kind]}\n"
        "metrics: {fields: {compare: {note: exact}, others: ignore}}\n"
        "thresholds:\n  fields.accuracy: [{min: 50%}, {min: 90%, per: field}, {min: 90%, per: kind}]\n"
        "  fields.exact: {min: 50%, confidence: 95%}\n  fields.invented: {max: 5%}\n",
        encoding="utf-8",
    )
    found = verdicts(record())
    shown = {name: (item["verdict"], item["value"], item["samples"]) for name, item in found.items()}
    assert shown == {
        "fields.accuracy": ("failed", 1 / 20, 20),
        "fields.accuracy[per field]": ("passed", 1, 1),
        "fields.accuracy[per kind]": ("failed", 0, 10),
        "fields.exact": ("failed", 1 / 20, 20),
        "fields.invented": ("failed", 19 / 20, 20),
    }
    (group,) = found["fields.accuracy[per field]"]["groups"]
    assert group["group"] == "note"


def test_right_replies_pass_everything(pytester: pytest.Pytester, record: Record) -> None:
    write(
        pytester.path,
        "  fields.accuracy: {min: 99.9%}\n  fields.exact: {min: 80%, confidence: 95%}\n"
        "  fields.missing: {max: 0.1%}\n  fields.invented: {max: 0.1%}\n",
        wrong=False,
    )
    found = verdicts(record())
    assert {verdict["verdict"] for verdict in found.values()} == {"passed"}
    assert found["fields.exact"]["method"] == "clopper-pearson"


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (
            "{fields: {compare: {$.location.x: exact, location: ignore}}}",
            "*compare: '$.location.x' lies in 'location', which is compared whole; keep one*",
        ),
        (
            "{fields: {compare: {width: {as: number, absolute: -1}}}}",
            "*compare: width: absolute: expected a number from 0*",
        ),
        (
            "{fields: {compare: {width: {as: text, score: bbox, min: 1}}}}",
            "*compare: width: score: expected a score of*",
        ),
        ("{fields: {compare: severity}}", "*compare: expected object | null, got str, found 'severity'*"),
    ],
)
def test_mistakes_are_told_at_the_gate(pytester: pytest.Pytester, run: Run, metrics: str, message: str) -> None:
    write(pytester.path, "  fields.accuracy: {min: 50%}\n", metrics)
    result = run()
    assert result.ret == 2
    result.stdout.fnmatch_lines([message])


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (
            "{fields: {compare: {severty: casefold}}}",
            "documents.jsonl: compare names the field 'severty', which no reference has; did you mean 'severity'?",
        ),
        (
            "{fields: {compare: {severity: number}}}",
            "documents.jsonl: the reference of 'r0' has 'low' at severity, which is no number; correct it, or change "
            "what compare says of severity",
        ),
    ],
)
def test_comparisons_that_the_data_cannot_carry_are_unmeasurable(
    pytester: pytest.Pytester, record: Record, metrics: str, message: str
) -> None:
    write(pytester.path, "  fields.accuracy: {min: 50%}\n", metrics)
    (found,) = verdicts(record()).values()
    assert (found["verdict"], found["message"]) == (
        "unmeasurable",
        f"fields.accuracy cannot be measured: {message}",
    )


def test_without_references_there_is_nothing_to_agree_with(pytester: pytest.Pytester, record: Record) -> None:
    write_replies(pytester.path)
    (pytester.path / "g.gate.yaml").write_text(
        "vigate: 1\ndata: {predictions: replies.jsonl}\nthresholds: {fields.accuracy: {min: 50%}}\n", encoding="utf-8"
    )
    (found,) = verdicts(record()).values()
    assert found["verdict"] == "unmeasurable"
    assert found["message"].endswith("fields compares with references; name them under data.references")
