"""Gates on the shape of replies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reading import Run
from worlds import write_replies

Record = Callable[..., dict[str, Any]]
HEAD = """\
vigate: 1
data: {predictions: replies.jsonl, references: documents.jsonl}
metrics:
  schema: PARAMETERS
thresholds:
"""


def write(folder: Path, parameters: str, thresholds: str, *, wrong: tuple[str, ...] = ()) -> None:
    write_replies(folder, wrong=wrong)
    text = HEAD.replace("PARAMETERS", parameters) + thresholds
    (folder / "inspection.gate.yaml").write_text(text, encoding="utf-8")


def test_missed_gate_shows_what_is_wrong(pytester: pytest.Pytester, run: Run) -> None:
    wrong = ('{"defect_found": true}', "It is a dent.")
    lines = "  schema.adherence: {min: 95%}\n"
    write(pytester.path, "{required: [defect_found, defect_type, severity]}", lines, wrong=wrong)
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*20 replies: 18 adhere to the schema*",
            "*missing fields: 1*",
            "*'r0': $: 'defect_type', 'severity' are missing*",
            "*no document: 1*",
        ]
    )


def test_record_has_the_digest_of_the_schema_and_no_path(pytester: pytest.Pytester, record: Record) -> None:
    write(pytester.path, "{schema: inspection.schema.json}", "  schema.adherence: {min: 95%}\n")
    found = record()
    assert found["counts"]["passed"] == 1
    (families,) = (gate["families"] for gate in found["gates"])
    (signature,) = {item["signature"] for item in families if item["name"] == "schema"}
    assert "|schema:sha256:" in signature
    assert str(pytester.path) not in json.dumps(found)


def test_slices_are_judged(pytester: pytest.Pytester, run: Run) -> None:
    lines = "  schema.missing_fields: {max: 0%, where: {kind: clean}}\n"
    write(pytester.path, "{required: [defect_found]}", lines, wrong=("{}",))  # r0 is no clean one
    path = pytester.path / "inspection.gate.yaml"
    text = path.read_text(encoding="utf-8").replace("documents.jsonl}", "documents.jsonl, attributes: [kind]}")
    path.write_text(text, encoding="utf-8")
    run().assert_outcomes(passed=1)


def test_family_without_a_schema_is_an_error_that_says_what_to_write(pytester: pytest.Pytester, run: Run) -> None:
    write_replies(pytester.path)
    (pytester.path / "inspection.gate.yaml").write_text(
        "vigate: 1\ndata: {predictions: replies.jsonl, references: documents.jsonl}\n"
        "thresholds:\n  schema.adherence: {min: 95%}\n",
        encoding="utf-8",
    )
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["unmeasurable: *schema has nothing to check; write metrics: {schema: *"])


def test_both_forms_at_once_are_a_problem_of_the_gate(pytester: pytest.Pytester, run: Run) -> None:
    write(pytester.path, "{schema: inspection.schema.json, required: [a]}", "  schema.adherence: {min: 95%}\n")
    result = run()
    assert result.ret == 2
    result.stdout.fnmatch_lines(
        ["*required: it is the short form of a schema, and schema names a file; leave one out*"]
    )


def test_schema_outside_the_root_is_a_problem_of_the_gate(pytester: pytest.Pytester, run: Run) -> None:
    write(pytester.path, "{schema: ../../outside.json}", "  schema.adherence: {min: 95%}\n")
    result = run("--rootdir", str(pytester.path))
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*'../../outside.json' leads outside the root*"])


def test_references_that_violate_the_schema_are_an_error(pytester: pytest.Pytester, run: Run) -> None:
    write(pytester.path, "{required: [price]}", "  schema.adherence: {min: 95%}\n")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["unmeasurable: *documents.jsonl: the reference 'r0' violates the schema required: $: 'price' is missing*"]
    )


@pytest.mark.parametrize("reference", ["A dent.", ["A dent.", "It is a dent."]])
def test_texts_as_references_are_not_held_against_the_schema(
    reference: object, pytester: pytest.Pytester, run: Run
) -> None:
    write(pytester.path, "{required: [defect_found]}", "  schema.adherence: {min: 95%}\n")
    path = pytester.path / "documents.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({**record, "reference": reference}) + "\n" for record in records]
    path.write_text("".join(lines), encoding="utf-8")
    run().assert_outcomes(passed=1)
