"""Which format a file has, and what is said where nothing tells."""

from __future__ import annotations

import pytest

from data.world import FORMATS, World, message
from pytest_vigate.data.joining import join
from pytest_vigate.data.tables import Role

NOT_UTF8 = "byte 0xe9 is not UTF-8 text; save the file as UTF-8"


@pytest.mark.parametrize("name", ["P.JSONL", "p.NdJson", "P.CSV"])
def test_ending_in_capitals_is_the_same(world: World, name: str) -> None:
    csv = name.endswith("CSV")
    world.write(name, "id,prediction\n1,two\n" if csv else '{"id": 1, "prediction": "two"}\n')
    assert world.predictions(name).replies == ("two",)


def test_document_whose_ending_is_in_capitals(world: World) -> None:
    world.write_json("R.JSON", {"annotations": [{"image_id": 1, "caption": "a car"}]})
    world.write_json("P.JSON", [{"image_id": 1, "caption": "a car"}])
    dataset = join(world.predictions("P.JSON"), world.references("R.JSON"))
    assert dataset.references.texts == (("a car",),)


def test_conversations_whose_ending_is_in_capitals(world: World) -> None:
    world.write_lines("P.JSONL", {"id": 1, "messages": [{"role": "assistant", "content": "two"}]})
    assert world.predictions("P.JSONL").replies == ("two",)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "p.jsonl",
            b'{"id": 1, "prediction": "caf\xe9"}',
            "p.jsonl:1: " + NOT_UTF8,
        ),
        (
            "p.json",
            b'[{"id": 1, "prediction": "caf\xe9"}]',
            "p.json:1: " + NOT_UTF8,
        ),
        ("p.jsonl", b'[{"id": 1}]', "p.jsonl:1: $: expected object, got array; write one record a line"),
        (
            "p.jsonl",
            b'\n\n{"id": 1, "prediction"}\n{"id": 2}',
            "p.jsonl:3:23: this is not JSON: expected ':'; correct it, or write the file again",
        ),
        ("p.jsonl", b'{"id": NaN}', "p.jsonl:1:8: NaN is no JSON number; write null or leave the value out"),
        (
            "p.json",
            b'[{"id": 1, "prediction": "two"}]',
            "p.json: no format fits these predictions: the first record has the fields 'id', 'prediction'; "
            "write one record a line, as .jsonl, and declare format: jsonl, and name them under 'fields'",
        ),
        ("p.txt", b"a b", f"p.txt: no format fits these predictions; declare format: one of {FORMATS}"),
        ("p.json", b'{"id": 1}', f"p.json: no format fits these predictions; declare format: one of {FORMATS}"),
    ],
)
def test_file_of_no_format_says_why(world: World, name: str, content: bytes, expected: str) -> None:
    world.write(name, content)
    assert message(lambda: world.predictions(name)) == expected


@pytest.mark.parametrize("name", ["r.json", "r.jsonl"])
def test_array_of_references_without_records(world: World, name: str) -> None:
    world.write(name, " [ ]\n")
    assert message(lambda: world.references(name)) == (
        f"{name}: the file holds no records; zero samples prove nothing, write at least one"
    )


@pytest.mark.parametrize("role", ["predictions", "references"])
def test_array_that_is_declared_as_lines(world: World, role: Role) -> None:
    world.write_json("a.json", [{"id": 1, "prediction": "two", "reference": "two"}])
    read = world.predictions if role == "predictions" else world.references
    assert message(lambda: read("a.json", format="jsonl")) == (
        "a.json:1: $: expected object, got array; write one record a line"
    )


def test_half_of_a_character_does_not_hide_the_format(world: World) -> None:
    world.write("p.jsonl", '{"id": 1, "prediction": "\\ud83d"}\n')
    assert world.predictions("p.jsonl").source.format == "jsonl"
