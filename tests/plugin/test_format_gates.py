"""Gates on the form of replies: what is declared, and what a verdict shows of a reply."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reading import Run, cases, verdicts
from worlds import write_jsonl, write_replies

Record = Callable[..., dict[str, Any]]

GATE = """\
vigate: 1
data:
  predictions: {{path: replies.jsonl{declared}}}
  attributes: [kind]
thresholds:
  format.compliance: {{min: 95%}}
"""


def write(pytester: pytest.Pytester, said: list[str | None], declared: str = "", more: str = "") -> None:
    records = [{"id": f"r{i}", "kind": "ab"[i % 2], "prediction": text} for i, text in enumerate(said)]
    write_jsonl(pytester.path / "replies.jsonl", records)
    pytester.makefile(".gate.yaml", form=GATE.format(declared=declared) + more)


@pytest.mark.parametrize(
    ("declared", "reply"),
    [
        ("", '{"a": 1}'),
        (", replies: fenced", '```json\n{"a": 1}\n```'),
        (", replies: first-json", 'Sure: {"a": 1}'),
        (", replies: answer-tag", '<think>hm</think><answer>{"a": 1}</answer>'),
        (", syntax: {name: json, duplicate_keys: allow}", '{"a": 1, "a": 2}'),
        (", syntax: {name: json, nan: allow}", '{"a": NaN}'),
        (", syntax: {name: json, surrogates: allow}", '{"a": "\\ud800"}'),
        (", syntax: {name: json, byte_order_mark: allow}", '\ufeff{"a": 1}'),
        (", syntax: jsonl", '{"a": 1}\n{"a": 2}\n'),
        (", syntax: yaml", "a: no\nb: [1, 2]\n"),
        (", syntax: yaml, replies: fenced", "```yaml\na: 1\n```"),
        (", syntax: csv", "part,count\nbolt,2\n"),
        (", syntax: {name: csv, delimiter: ;, columns: [count, part]}", "part;count\nbolt;2\n"),
        (", syntax: {name: csv, required: [part]}", "part,count\nbolt,2\n"),
        (", syntax: xml", "<parts><part>bolt</part></parts>"),
    ],
)
def test_declared_form_passes_and_plain_json_is_the_default(
    declared: str, reply: str, pytester: pytest.Pytester, record: Record
) -> None:
    write(pytester, [reply] * 20, declared)
    assert verdicts(record()) == {"form.gate.yaml::format.compliance": "passed"}
    if declared:
        write(pytester, [reply] * 20)
        assert verdicts(record()) == {"form.gate.yaml::format.compliance": "failed"}


def test_failing_verdict_names_causes_samples_and_places(pytester: pytest.Pytester, run: Run) -> None:
    hostile = '{"say": "\u202e::error::", }'
    write(pytester, ['{"a": 1}', hostile, '{"a": [1, 2', None])
    result = run("--junit-xml=gates.xml")
    result.assert_outcomes(failed=1)
    text = cases(pytester.path / "gates.xml")["format.compliance"].find("failure")
    assert text is not None
    lines = (text.text or "").split("\n")
    assert lines[:12] == [
        "failed: format.compliance is 0.250, must be >= 0.95; the 3 worst samples have 3 failed to parse",
        "95% interval [0.006309, 0.8059] (clopper-pearson), 4 samples, band poor",
        "diagnosis:",
        "  4 replies: strict 1, truncated 1, empty 1, broken 1",
        "  truncated 1: allow the model more tokens",
        "  trailing comma: 1",
        """    'r1': at character 21: {"say": "\\u202e::error::", }""",
        "                                                    ^",
        "  unclosed bracket: 1",
        """    'r2': at character 7: {"a": [1, 2""",
        "                                ^",
        "  no reply: 1",
    ]


def test_slices_have_their_own_share(pytester: pytest.Pytester, record: Record) -> None:
    per = "  format.strict: {min: 90%, per: kind}\n  format.broken: {max: 5%, where: {kind: a}}\n"
    write(pytester, ['{"a": 1}', "no"] * 10, more=per)
    found = record()
    assert verdicts(found) == {
        "form.gate.yaml::format.compliance": "failed",
        "form.gate.yaml::format.strict[per kind]": "failed",
        "form.gate.yaml::format.broken[kind=a]": "passed",
    }
    groups = found["gates"][0]["verdicts"][1]["groups"]
    assert [(group["group"], group["value"]) for group in groups] == [("a", 1.0), ("b", 0.0)]


def test_five_lines_validate_responses(pytester: pytest.Pytester, record: Record) -> None:
    """Parse, then look for the required keys: the tutorials' ``validate_response``."""

    def validate_response(reply: str) -> bool:
        try:
            document = json.loads(reply)
        except json.JSONDecodeError:
            return False
        return all(name in document for name in ("defect_found", "defect_type", "severity"))

    wrong = ['{"defect_found": true}', "There is a scratch.", '{"defect_found": true, "severity": "low",}', "[]", "{}"]
    write_replies(pytester.path, wrong=wrong)
    pytester.makefile(
        ".gate.yaml",
        five="vigate: 1\ndata: {predictions: replies.jsonl}\n"
        "metrics: {schema: {required: [defect_found, defect_type, severity]}}\n"
        "thresholds:\n  schema.adherence: {min: 95%}\n",
    )
    lines = (pytester.path / "replies.jsonl").read_text(encoding="utf-8").splitlines()
    right = [validate_response(json.loads(line)["prediction"]) for line in lines]
    verdict = record()["gates"][0]["verdicts"][0]
    assert verdict["value"] == sum(right) / len(right) == 0.75
    assert verdict["verdict"] == "failed"


def test_parsed_predictions_have_no_form_and_no_text(pytester: pytest.Pytester, record: Record) -> None:
    records = [{"id": f"r{i}", "prediction": {"a": i}, "reference": "a"} for i in range(3)]
    write_jsonl(pytester.path / "replies.jsonl", records)
    scores = "thresholds:\n  bleu.bleu: {min: 50%}\n  format.strict: {min: 50%}\n"
    pytester.makefile(".gate.yaml", form=f"vigate: 1\ndata: {{predictions: replies.jsonl}}\n{scores}")
    found = [verdict["message"] for verdict in record()["gates"][0]["verdicts"]]
    assert found == [
        "bleu.bleu cannot be measured: replies.jsonl: bleu needs texts, and these records carry documents; name the "
        "fields that hold them under 'fields', or gate another family",
        "format.strict cannot be measured: replies.jsonl: format needs raw replies, and these records hold documents "
        "that are parsed already; record them",
    ]
