"""The JSON Schema of the language, for editors and for us."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pytest_vigate.gates import schema, syntax
from pytest_vigate.gates.schema import FamilyDescription, ScoreDescription, language, with_families

EXAMPLE = Path(__file__).parent / "example.yaml"
BBOX = FamilyDescription(
    "bbox",
    "Boxes by matching.",
    {"iou": {"type": "number", "description": "Smallest IoU of a pair."}},
    (
        ScoreDescription("f1", "Harmonic mean of precision and recall.", 0.0, 1.0, "higher", "0.75 to 0.90 is good."),
        ScoreDescription("ratio", "Boxes per reference", 0.0, float("inf"), None, ""),
    ),
)


def properties(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema, nested ones too."""
    if isinstance(node, dict):
        yield from node.get("properties", {}).items()
        for value in node.values():
            yield from properties(value)
    elif isinstance(node, list):
        for value in node:
            yield from properties(value)


@pytest.mark.parametrize("made", [language(), with_families([BBOX])], ids=["plain", "families"])
def test_it_is_a_schema_of_draft_2020_12(made: dict[str, Any]) -> None:
    assert made["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(made)


def test_every_property_has_a_description() -> None:
    found = dict(properties(with_families([BBOX])))
    assert {"vigate", "predictions", "min", "until", "iou", "bbox.f1"} <= found.keys()
    assert [name for name, about in properties(with_families([BBOX])) if not about.get("description")] == []


def test_every_constraint_says_what_is_expected() -> None:
    def silent(node: Any) -> Iterator[Any]:
        if isinstance(node, dict):
            if {"type", "const", "anyOf"} & node.keys() and "errorMessage" not in node:
                yield node
            for key, value in node.items():
                yield from silent(list(value.values()) if key in ("properties", "$defs") else value)
        elif isinstance(node, list):
            for value in node:
                yield from silent(value)

    assert list(silent(language())) == []


def test_the_example_is_valid() -> None:
    root = syntax.compose(EXAMPLE.read_bytes()).root
    assert root is not None
    assert list(Draft202012Validator(language()).iter_errors(root.value)) == []
    assert list(Draft202012Validator(with_families([BBOX])).iter_errors(root.value)) != []  # min_score is not of BBOX


def test_families_are_offered_for_completion() -> None:
    made = with_families([BBOX])
    scores = made["properties"]["thresholds"]["properties"]
    assert [(name, about["description"]) for name, about in scores.items()] == [
        (
            "bbox.f1",
            "Harmonic mean of precision and recall. In [0, 1], higher is better. 0.75 to 0.90 is good.",
        ),
        ("bbox.ratio", "Boxes per reference. In [0, inf], neither way is better."),
    ]
    family = made["properties"]["metrics"]["properties"]["bbox"]
    assert family["description"] == "Boxes by matching."
    assert family["properties"]["iou"] == BBOX.parameters["iou"]


def test_further_names_stay_allowed() -> None:
    gate = {
        "vigate": 1,
        "data": {"predictions": "p"},
        "metrics": {"strict": {"metric": "bbox", "iou": 0.9}},
        "thresholds": {"strict.f1": {"min": 0.5}, "bbox.f1": {"min": "75%"}},
    }
    assert Draft202012Validator(with_families([BBOX])).is_valid(gate)
    gate["thresholds"] = {"strict.f1": {"mim": 0.5}}
    assert not Draft202012Validator(with_families([BBOX])).is_valid(gate)
    gate["thresholds"] = {"bbox.f1": {"min": 0.5, "mim": 0.5}}
    assert not Draft202012Validator(with_families([BBOX])).is_valid(gate)


def test_every_call_makes_a_schema_of_its_own() -> None:
    with_families([BBOX])["properties"].clear()
    assert with_families([]) == language()


def test_reserved_words_are_no_part_of_the_language() -> None:
    known = dict(properties(language())).keys()
    assert {word for _, word in schema.RESERVED} & known == set()


def test_jsonschema_is_imported_with_the_first_gate_file_only() -> None:
    code = "import sys; import pytest_vigate.gates.rules; sys.exit('jsonschema' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
