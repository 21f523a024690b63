"""Schema files, linked and bounded; and two libraries that have to say the same."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics._json_schema import Checker
from pytest_vigate.metrics._schema_costs import STACK, VISITS, Graph, circles
from pytest_vigate.metrics._schema_faults import of_python
from pytest_vigate.metrics._schema_files import Linked, link

Put = Callable[..., Path]
DRAFTS = (
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
)
TREE = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "left": {"$ref": "#"}, "right": {"$ref": "#"}},
    "additionalProperties": False,
}


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(schema: object, name: str = "schema.json") -> Path:
        path = tmp_path.resolve() / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            schema
            if isinstance(schema, bytes)
            else (schema if isinstance(schema, str) else json.dumps(schema)).encode()
        )
        return path

    return write


def linked(path: Path, *, formats: bool = False) -> Linked:
    return link(path, (path.parent,), formats=formats)


def checker(path: Path) -> Checker:
    return Checker(linked(path))


def adheres(path: Path, document: object) -> bool:
    return checker(path).judge(document) is None


def refused(path: Path) -> str:
    with pytest.raises(UnmeasurableError) as error:
        linked(path)
    return str(error.value)


def nested(levels: int, inner: object = 3) -> object:
    for _ in range(levels):
        inner = {"left": inner}
    return inner


@pytest.mark.parametrize("draft", DRAFTS)
def test_recursive_schema_is_followed(put: Put, draft: str) -> None:
    path = put({"$schema": draft, **TREE})
    assert adheres(path, {"left": {"right": {"value": 1}}})
    assert not adheres(path, {"left": {"right": {"value": "x"}}})


def test_tree_of_256_levels_is_checked_to_its_end(put: Put) -> None:
    path = put(TREE)
    assert adheres(path, nested(255, {}))
    found = checker(path).judge(nested(254, {"other": 1}))
    assert found is not None
    assert (found.kinds, found.why) == ({}, "too large for all that is wrong to be listed")
    found = checker(path).judge(nested(100, {"other": 1}))
    assert found is not None
    assert [*found.kinds] == ["extra_fields"]


def test_alternatives_that_recurse_twice_take_no_exponential_time(put: Put) -> None:
    # 2 ** 200 ways down: those of jsonschema-rs's errors would be listed one by one
    branch = {"type": "object", "required": ["left"], "properties": {"left": {"$ref": "#"}}}
    path = put({"anyOf": [branch, {**branch, "minProperties": 1}, {"const": 3}]})
    assert adheres(path, nested(200))
    found = checker(path).judge(nested(200, "x"))
    assert found is not None
    assert found.why == "too large for all that is wrong to be listed"


def test_document_too_deep_for_the_stack_is_no_crash(put: Put) -> None:
    # 61 schemas inside each other at every level: jsonschema-rs dies of 100 of them at 256 levels
    chain: dict[str, Any] = {f"a{i}": {"anyOf": [{"$ref": f"#/$defs/a{i + 1}"}]} for i in range(60)}
    chain["a60"] = {"type": "object", "properties": {"left": {"$ref": "#/$defs/a0"}}}
    path = put({"$ref": "#/$defs/a0", "$defs": chain})
    found = checker(path).judge(nested(200))
    assert found is not None
    assert re.fullmatch("nested deeper than [0-9]+ levels, the most this schema is checked for", found.why)
    assert adheres(path, nested(5, {}))


@pytest.mark.parametrize("kind", ["anyOf", "allOf", "oneOf"])
def test_definitions_that_double_forty_times_are_refused(put: Put, kind: str) -> None:
    doubling: dict[str, Any] = {f"a{i}": {kind: [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(40)}
    path = put({"$ref": "#/$defs/a0", "$defs": {**doubling, "a40": {"type": "string"}}})
    assert refused(path) == (
        f"schema.json: the parts of this schema may apply to one place of a document more than {VISITS} times, because "
        "definitions that are referred to several times do the same; refer to each once"
    )


def test_definitions_that_double_going_down_are_refused(put: Put) -> None:
    doubling: dict[str, Any] = {
        f"a{i}": {"allOf": [{"properties": {"x": {"$ref": f"#/$defs/a{i + 1}"}}}] * 2} for i in range(40)
    }
    path = put({"$ref": "#/$defs/a0", "$defs": {**doubling, "a40": {"type": "string"}}})
    assert "more than 20000 times" in refused(path)


def test_many_fields_and_many_values_are_fine(put: Put) -> None:
    names = [f"f{i}" for i in range(10_000)]
    path = put({"type": "object", "required": names, "properties": {name: {"enum": names} for name in names[:100]}})
    assert adheres(path, dict.fromkeys(names, "f7"))
    assert not adheres(path, dict.fromkeys(names[1:], "f7"))


def test_names_that_are_missing_by_the_thousand_are_told(put: Put) -> None:
    names = [f"f{i:04}" for i in range(10_000)]
    path = put({"type": "object", "required": names, "properties": {name: {"type": "string"} for name in names}})
    found = checker(path)
    verdict = found.judge({})
    assert verdict is not None
    assert verdict.kinds == {"missing_fields": "$: 'f0000', 'f0001', 'f0002' and 9997 more are missing"}
    assert found.explain({}) == verdict.kinds


def test_missing_names_of_one_place_are_one_fault_of_jsonschema() -> None:
    schema = {"required": ["a", "b"], "properties": {"x": {"anyOf": [{"required": ["a", "b"]}] * 2}}}
    errors = [*jsonschema.Draft202012Validator(schema).iter_errors({"x": {}})]
    assert len(errors) == 3
    outer, inner = sorted(of_python(errors, lambda *_: ()), key=lambda fault: len(fault.path))
    assert outer.names == ("a", "b")
    assert [[fault.names for fault in branch] for branch in inner.branches] == [[("a", "b")]] * 2


def test_names_of_wide_objects_are_not_listed(put: Put) -> None:
    # jsonschema-rs 0.60 puts the object into the error of each name: 8000 names take 14 GB
    found = checker(put({"propertyNames": {"maxLength": 2}, "items": {"propertyNames": {"maxLength": 3}}}))
    verdict = found.judge({f"key{i}": i for i in range(8000)})
    assert verdict is not None
    assert (verdict.kinds, verdict.why) == ({}, "too large for all that is wrong to be listed")
    verdict = checker(put({"type": "null"})).judge({f"key{i}": i for i in range(8000)})
    assert verdict is not None
    assert [*verdict.kinds] == ["wrong_types"]
    verdict = found.judge([{f"key{i}": i for i in range(10)}] * 100)
    assert verdict is not None
    assert verdict.kinds == {"extra_fields": "$[0]: 'key0', 'key1', 'key2' and 7 more are not allowed as names"}


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 12).flatmap(lambda n: st.lists(st.lists(st.integers(0, n - 1), max_size=3), min_size=n, max_size=n))
)
def test_circles_are_the_strong_components(edges: list[list[int]]) -> None:
    # Oracle: SciPy 1.17, connected_components
    size = len(edges)
    definitions = {
        str(i): {"properties": {f"f{k}": {"$ref": f"#/$defs/{j}"} for k, j in enumerate(after)}}
        for i, after in enumerate(edges)
    }
    graph = Graph({"$ref": "#/$defs/0", "$defs": definitions})
    at = {id(part): i for i, part in enumerate(graph.parts)}
    places = [at[id(definitions[str(i)])] for i in range(size)]
    found = [circles(graph)[place] for place in places]
    matrix = np.zeros((size, size), dtype=int)
    for i, after in enumerate(edges):
        matrix[i, after] = 1
    _, labels = connected_components(matrix, directed=True, connection="strong")
    for i in range(size):
        circular = matrix[i, i] > 0 or (labels == labels[i]).sum() > 1
        assert (found[i] != -1) == circular
        for j in range(size):
            assert not circular or (found[i] == found[j]) == (labels[i] == labels[j])


@pytest.mark.parametrize(
    ("schema", "documents"),
    [
        ({"maximum": 9223372036854775808}, [9.223372036854776e18]),
        ({"minimum": 9223372036854775809}, [9.223372036854776e18]),
        ({"const": 10**23}, [1e23, 5]),
        ({"enum": [1e23]}, [10**23]),
        ({"uniqueItems": True}, [[1e23, 10**23], [2**53 + 1, float(2**53)]]),
    ],
)
def test_libraries_are_not_held_against_each_other_on_large_numbers(
    put: Put, schema: object, documents: list[object]
) -> None:
    found = checker(put(schema))
    for document in documents:
        verdict = found.judge(document)
        if verdict is None:
            found.confirm(document)
        else:
            assert found.explain(document) == (verdict.kinds if document == 5 else {})


def test_chain_of_references_is_followed_to_a_bound(put: Put) -> None:
    def chain(length: int) -> dict[str, Any]:
        found: dict[str, Any] = {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(length)}
        return {"$ref": "#/$defs/a0", "$defs": {**found, f"a{length}": {"type": "string"}}}

    assert adheres(put(chain(1000)), "x")
    assert not adheres(put(chain(1000)), 3)
    assert refused(put(chain(10_000))) == (
        f"schema.json: 10002 parts of this schema lie inside each other, by way of $ref, and {STACK} can be followed; "
        "refer to what is meant directly"
    )


@pytest.mark.parametrize(
    ("schema", "places"),
    [
        ({"$ref": "#"}, "schema.json: $: this schema refers to itself without going down into the document, so"),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
            "schema.json: $['$defs'].a: this schema refers to itself without going down into the document, by way of "
            "schema.json: $['$defs'].b, so",
        ),
        *(
            (
                {"type": "object", word: [{"$ref": "#"}]},
                "schema.json: $: this schema refers to itself without going down into the document, by way of "
                f"schema.json: $.{word}[0], so",
            )
            for word in ("allOf", "anyOf", "oneOf")
        ),
        *(
            (
                {"type": "object", "if": {}, word: {"$ref": "#"}},
                "schema.json: $: this schema refers to itself without going down into the document, by way of "
                f"schema.json: $.{word}, so",
            )
            for word in ("not", "if", "then", "else")
        ),
        (
            {"type": "object", "dependentSchemas": {"a": {"$ref": "#"}}},
            "schema.json: $: this schema refers to itself without going down into the document, by way of "
            "schema.json: $.dependentSchemas.a, so",
        ),
    ],
)
def test_loop_without_progress_is_refused(put: Put, schema: object, places: str) -> None:
    # jsonschema-rs accepts every document by most of them
    rest = " it decides nothing; let it refer to itself below properties or items"
    assert sorted(refused(put(schema)).removesuffix(rest).split()) == sorted(places.split())


def test_loop_over_files_is_refused(put: Put) -> None:
    path = put({"anyOf": [{"$ref": "other.json"}]})
    put({"$ref": "schema.json"}, "other.json")
    assert "without going down into the document" in refused(path)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"title": "anything"},
        {"properties": {"a": {}, "b": True}},
        {"properties": {"a": {"$ref": "#"}}},
        {"anyOf": [{"type": "string"}, {}]},
        {"required": [], "minLength": 0, "uniqueItems": False},
        {"not": False},
        {"if": {"type": "string"}, "then": {}, "else": True},
        {"then": {"type": "string"}},
        {"contains": {"type": "string"}, "minContains": 0},
        {"dependencies": {"a": ["b"]}},  # of draft 7 only
        {"type": ["object", "array", "string", "number", "boolean", "null"]},
        {"propertyNames": {"type": "string"}},
        {"dependentRequired": {"a": []}},
        {"dependentRequired": {"a": ["a"]}},
        *({"pattern": pattern} for pattern in ("", ".*", "^.*$")),
        {"not": {"allOf": [False]}},
        {"not": {"anyOf": [False, {"$ref": "#/$defs/no"}]}, "$defs": {"no": {"not": {}}}},
        {"not": {"not": {"properties": {"a": True}}}},
        {"oneOf": [{}, False]},
    ],
)
def test_schema_that_accepts_everything_is_refused(put: Put, schema: object) -> None:
    assert refused(put(schema)) == (
        "schema.json: this schema accepts every document, so no reply could fail; state what is due, or gate "
        "format.compliance"
    )


def test_schema_of_nothing_but_formats_is_refused_with_the_way_out(put: Put) -> None:
    path = put({"format": "date"})
    assert refused(path) == (
        "schema.json: this schema accepts every document, so no reply could fail; formats: true would check its "
        "formats; state what is due, or gate format.compliance"
    )
    assert Checker(linked(path, formats=True)).judge("soon") is not None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"maximum": 0},
        {"const": False},
        {"const": None},
        {"minItems": 1},
        {"properties": {"a": False}},
        {"not": {}},
        {"oneOf": [{}, {}]},
        {"items": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        {"contains": {}},
        {"type": ["object", "array", "string", "number", "null"]},
        {"type": ["object", "array", "string", "integer", "boolean", "null"]},
        {"propertyNames": {"type": "integer"}},
        {"propertyNames": {"type": "string", "maxLength": 0}},
        {"dependentRequired": {"a": ["a", "c"]}},
        {"pattern": "."},
        {"not": {"allOf": [{"type": "null"}]}},
        {"not": {"anyOf": [False, {"type": "null"}]}},
        {"not": {"not": {"type": "null"}}},
        {"oneOf": [{}, {"type": "null"}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"minimum": 1}}},
        {"properties": {"a": {"$ref": "#"}}, "maxProperties": 1},
        False,
    ],
)
def test_schema_that_may_refuse_something_is_taken(put: Put, schema: object) -> None:
    samples = [None, False, 0, 1, 0.5, "", "x", [], [1], {}, {"a": 1}, {"a": 1, "b": 2}]
    assert not all(adheres(put(schema), sample) for sample in samples)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (b"\xff\xfe{}", "schema.json: this is UTF-16 text; save it as UTF-8"),
        (b'{"a": "\xff"}', "schema.json:1: byte 0xff is not UTF-8 text; save the file as UTF-8"),
        ('{\n "type": "object",\n}', "schema.json:2:18: this is no JSON: trailing comma; correct the schema"),
        ('{"type": "object", "type": "array"}', "schema.json:1:20: this is no JSON: duplicate key; correct the schema"),
        ("", "schema.json:1:1: this is no JSON: empty text; correct the schema"),
        ([], "schema.json: a schema is an object, or true or false, found a list"),
        ('"object"', "schema.json: a schema is an object, or true or false, found a text"),
        (
            '{"not": ' * 200 + "{}" + "}" * 200,
            "schema.json: the schema is nested deeper than 100 levels; move parts of it into $defs",
        ),
        (
            {"type": "objct"},
            "schema.json: this is no schema of 2020-12: $.type: 'objct' is none of 'array', 'boolean', 'integer' and "
            "4 more; correct the schema",
        ),
        (
            {"properties": {"a": {"minLength": -1}}},
            "schema.json: this is no schema of 2020-12: $.properties.a.minLength: -1 is less than 0; correct the "
            "schema",
        ),
        (
            {"$schema": DRAFTS[0], "required": "a"},
            "schema.json: this is no schema of draft 7: $.required: 'a' is no list; correct the schema",
        ),
        (
            {"$schema": "http://json-schema.org/draft-04/schema#"},
            "schema.json: $schema is 'http://json-schema.org/draft-04/schema#', which is not read; write one of "
            f"{DRAFTS[2]}, {DRAFTS[1]}, {DRAFTS[0].removesuffix('#')}, or none for 2020-12",
        ),
        (
            {"$ref": "https://example.com/part.json"},
            "schema.json: $: $ref is 'https://example.com/part.json', and nothing is fetched; put that schema into a "
            "file below the root and refer to the file",
        ),
        (
            {"$ref": "https://json-schema.org/draft/2020-12/schema"},
            "schema.json: $: $ref is 'https://json-schema.org/draft/2020-12/schema', and nothing is fetched; put that "
            "schema into a file below the root and refer to the file",
        ),
        (
            {"$ref": "file://server/part.json"},
            "schema.json: $: $ref is 'file://server/part.json', and nothing is fetched; put that schema into a file "
            "below the root and refer to the file",
        ),
        *(
            (
                {"properties": {"a": {"$ref": reference}}},
                f"schema.json: $.properties.a: $ref is {reference!r}, which leads out of the folders that data may "
                "come from; move that file below the root",
            )
            for reference in ("../outside.json", "%2e%2e/outside.json", "file:///etc/passwd", "sub/../../outside.json")
        ),
        *(
            (
                {"$ref": reference},
                f"schema.json: $: $ref is {reference!r}, and there is no such file; a reference is relative to its own "
                "file",
            )
            for reference in ("none.json", "a%00b.json")
        ),
        (
            {"$ref": "#/$defs/addres", "$defs": {"address": {}}},
            "schema.json: $: $ref is '#/$defs/addres', and there is no 'addres'; did you mean 'address'?",
        ),
        ({"$ref": "#part"}, "schema.json: $: $ref is '#part', and there is no $anchor 'part'; correct it"),
        (
            {"$ref": "#/title", "title": "x"},
            "schema.json: $: $ref is '#/title', which is a text and no schema; correct it",
        ),
        (
            {"$ref": "#/own/a", "own": {"a": {"type": 3}}},
            "schema.json: $.own.a: this is no schema of 2020-12: $.type: 3 is none of 'array', 'boolean', "
            "'integer' and 4 more; correct the schema",
        ),
        (
            {"pattern": "^(?=.*x)"},
            "schema.json: $: the pattern '^(?=.*x)' looks around or back (?=, ?!, ?<=, ?<!, \\1), which takes more "
            "than linear time; write it without, or as several patterns under allOf",
        ),
        (
            {"properties": {"a": {"patternProperties": {"(a)\\1": {}}}}},
            "schema.json: $.properties.a: the pattern '(a)\\\\1' looks around or back (?=, ?!, ?<=, ?<!, \\1), which "
            "takes more than linear time; write it without, or as several patterns under allOf",
        ),
        *(
            (
                {"pattern": pattern},
                f"schema.json: $: the pattern {pattern!r} has {piece!r}, which the patterns of JSON Schema (ECMA-262) "
                "do not know; write it without",
            )
            for pattern, piece in {
                "(?x)a b": "(?x",
                "(?m)^a": "(?m",
                "(?P<n>a)": "(?P",
                r"\x{41}": r"\x{",
                r"\Aa": r"\A",
                r"\pL": r"\pL",
                "[[:alpha:]]": "[:",
                "[a-z&&b]": "&&",
                r"[\x{41}]": r"\x{",
                "a++": "++",
            }.items()
        ),
        (
            {"pattern": "(a"},
            "schema.json: $: the pattern '(a' is no regular expression of JSON Schema, or one too large to match in "
            "linear time; correct it",
        ),
        (
            {"pattern": "((a{1000}){1000}){1000}"},
            "schema.json: $: the pattern '((a{1000}){1000}){1000}' is no regular expression of JSON Schema, or one too "
            "large to match in linear time; correct it",
        ),
        (
            {"$defs": {"a": {"$id": "b.json"}, "c": {"$id": "b.json"}}},
            None,
        ),
    ],
)
def test_bad_schema_is_refused_with_its_place(put: Put, schema: object, message: str | None) -> None:
    found = refused(put(schema))
    if message is None:
        assert re.fullmatch(r"schema\.json: two schemas have the \$id 'file:.*; rename one", found)
    else:
        assert found == message


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^\(?x$", "(x"),
        (r"^\++$", "++"),
        (r"^[(?x]+$", "(x?"),
        (r"^[\[&+*]+$", "[&*"),
        (r"^\\A$", "\\A"),
        (r"^(?<n>a)(?:b)(?i:C)+?$", "abc"),
        (r"^\p{L}\u0041\x41$", "éAA"),
    ],
)
def test_pattern_of_ecmascript_is_taken(put: Put, pattern: str, text: str) -> None:
    found = checker(put({"pattern": pattern}))
    assert found.judge(text) is None
    assert found.judge(f"{text}\n") is not None


def test_missing_file_and_folder_are_refused(put: Put) -> None:
    path = put({"type": "object"})
    assert refused(path.with_name("none.json")) == (
        "none.json: there is no such file; check the path, it is relative to the gate file"
    )
    path.with_name("folder").mkdir()
    assert refused(path.with_name("folder")) == "folder: this is a folder, where a file is due; name a file in it"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_link_out_of_the_root_is_not_followed(put: Put, tmp_path: Path) -> None:
    path = put({"$ref": "inner.json"})
    (tmp_path / "outside.json").write_text('{"type": "object"}', encoding="utf-8")
    path.with_name("inner.json").symlink_to(tmp_path / "outside.json")
    assert "which leads out of the folders that data may come from" in refused(path)


def test_files_refer_to_each_other(put: Put) -> None:
    path = put(
        {
            "properties": {"place": {"$ref": "sub/place.json"}, "size": {"$ref": "sub/place.json#/$defs/size"}},
            "$defs": {"whole": {"type": "integer"}},
        }
    )
    put({"required": ["x"], "$defs": {"size": {"$ref": "../schema.json#/$defs/whole"}}}, "sub/place.json")
    assert adheres(path, {"place": {"x": 1}, "size": 3})
    assert not adheres(path, {"place": {}})
    assert not adheres(path, {"size": "x"})


def test_fault_in_another_file_is_named_there(put: Put) -> None:
    path = put({"properties": {"a": {"$ref": "other.json"}}})
    put({"properties": {"b": {"$ref": "#/$defs/c"}}}, "other.json")
    assert refused(path) == "other.json: $.properties.b: $ref is '#/$defs/c', and there is no '$defs'; correct it"


def test_files_of_two_drafts_are_refused(put: Put) -> None:
    path = put({"$schema": DRAFTS[2], "$ref": "other.json"})
    put({"$schema": DRAFTS[0], "type": "object"}, "other.json")
    assert refused(path) == (
        "other.json: a schema is written in draft 7, and schema.json, which refers to it, in 2020-12; write both in one"
    )
    embedded = {"$id": "other.json", "$schema": DRAFTS[0], "type": "object"}
    assert refused(put({"$ref": "#/$defs/other", "$defs": {"other": embedded}})) == (
        "schema.json: a schema is written in draft 7, and schema.json, which refers to it, in 2020-12; "
        "write both in one"
    )


def test_web_address_of_a_file_stands_for_its_folder(put: Put) -> None:
    path = put(
        {
            "$id": "https://example.com/schemas/schema.json",
            "properties": {"a": {"$ref": "sub/a.json"}, "b": {"$ref": "https://example.com/schemas/sub/a.json"}},
        }
    )
    put({"$id": "https://example.com/schemas/sub/a.json", "type": "integer"}, "sub/a.json")
    assert adheres(path, {"a": 1, "b": 2})
    assert not adheres(path, {"a": "x"})
    assert not adheres(path, {"b": "x"})
    put({"$id": "https://example.com/schemas/schema.json", "$ref": "https://example.com/else/a.json"})
    assert "and nothing is fetched" in refused(path)


def test_embedded_schemas_and_anchors_are_found(put: Put) -> None:
    path = put(
        {
            "$id": "https://example.com/top.json",
            "properties": {"a": {"$ref": "inner.json"}, "b": {"$ref": "inner.json#size"}, "c": {"$ref": "#name"}},
            "$defs": {
                "inner": {
                    "$id": "inner.json",
                    "required": ["x"],
                    "$defs": {"size": {"$anchor": "size", "type": "integer"}},
                },
                "name": {"$anchor": "name", "type": "string"},
            },
        }
    )
    assert adheres(path, {"a": {"x": 1}, "b": 1, "c": "x"})
    wrong: list[object] = [{"a": {}}, {"b": "x"}, {"c": 1}]
    assert not any(adheres(path, document) for document in wrong)


def test_pointers_are_unescaped(put: Put) -> None:
    path = put({"$ref": "#/$defs/a~1b~0c%20d", "$defs": {"a/b~c d": {"type": "integer"}}})
    assert adheres(path, 1)
    assert not adheres(path, "x")


@pytest.mark.parametrize(
    "schema",
    [
        {"$dynamicAnchor": "node", **TREE, "properties": {"left": {"$dynamicRef": "#node"}}},
        {
            "$schema": DRAFTS[1],
            "$recursiveAnchor": True,
            **TREE,
            "properties": {"left": {"$recursiveRef": "#"}},
        },
    ],
)
def test_dynamic_reference_with_one_anchor_is_a_plain_one(put: Put, schema: object) -> None:
    path = put(schema)
    assert adheres(path, nested(3, {}))
    assert not adheres(path, nested(3, {"other": 1}))


def test_dynamic_reference_with_several_anchors_is_refused(put: Put) -> None:
    path = put(
        {
            "$id": "https://example.com/a.json",
            "$dynamicAnchor": "node",
            "properties": {"a": {"$ref": "b.json"}, "b": {"$dynamicRef": "#node"}},
            "$defs": {"b": {"$id": "b.json", "$dynamicAnchor": "node", "type": "object"}},
        }
    )
    assert refused(path) == (
        "schema.json: $.properties.b: $dynamicRef is '#node', and several schemas have its anchor, so that what it "
        "means depends on the way to it; write $ref"
    )


def test_keywords_that_check_nothing_are_noted(put: Put) -> None:
    path = put(
        {"type": "object", "requried": ["a"], "dependencies": {"a": ["b"]}, "x-order": 1, "example": {}, "title": "t"}
    )
    assert linked(path).notes == (
        "schema.json: $: 'requried' is no keyword of JSON Schema and checks nothing; did you mean 'required'?",
        "schema.json: $: 'dependencies' is no keyword of 2020-12 and checks nothing",
    )


def test_keywords_beside_a_reference_of_draft_7_are_noted(put: Put) -> None:
    schema = {
        "properties": {"a": {"$ref": "#/definitions/b", "minLength": 3}},
        "definitions": {"b": {"type": "string"}},
    }
    path = put({"$schema": DRAFTS[0], **schema})
    assert adheres(path, {"a": "x"})
    assert linked(path).notes == (
        "schema.json: $.properties.a: draft 7 reads nothing beside $ref, so 'minLength' checks nothing there",
    )
    path = put({"$schema": DRAFTS[1], **schema})
    assert not adheres(path, {"a": "x"})
    assert linked(path).notes == ()


def test_unknown_formats_are_noted(put: Put) -> None:
    path = put({"type": "integer", "format": "int64"})
    assert linked(path, formats=True).notes == ("schema.json: $: the format 'int64' is not known and checks nothing",)


def test_many_notes_are_counted(put: Put) -> None:
    schema = {"type": "object", "properties": {f"f{i}": {"dependencies": {}} for i in range(9)}}
    notes = linked(put(schema)).notes
    assert len(notes) == 6
    assert notes[-1] == "and 4 more notes on the schema"


@pytest.mark.parametrize(
    "schema",
    [{"pattern": "^(a+)+$"}, {"patternProperties": {"^(a+)+$": False}}, {"propertyNames": {"pattern": "^(a+)+$"}}],
)
def test_patterns_never_reach_a_backtracking_engine(
    put: Put, schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # with Python's re, `$schema` in what a reference leads to would bring jsonschema's own validators back
    def search(*_: object) -> None:
        raise AssertionError("Python's re was asked")

    for module in ("_keywords", "_utils", "_legacy_keywords"):
        monkeypatch.setattr(f"jsonschema.{module}.re", type("re", (), {"search": staticmethod(search)}))
    path = put({"$schema": DRAFTS[2], **schema, "properties": {"x": {"$ref": "#"}}, "additionalProperties": {}})
    found = checker(path)
    for text in ("aaa", "a" * 50_000 + "!"):
        for document in (text, {text: 1}, {"x": {text: 1}}):
            verdict = found.judge(document)
            if verdict is None:
                found.confirm(document)
            else:
                assert found.explain(document) == verdict.kinds


def test_long_integers_are_compared_to_their_last_digit(put: Put) -> None:
    found = checker(put({"maximum": 10**400}))
    assert found.judge(10**400) is None
    assert found.judge(10**400 + 1) is not None
    found.confirm(10**400)


def test_required_field_that_is_not_allowed_is_not_called_missing(put: Put) -> None:
    # jsonschema-rs 0.60 says that b is missing
    path = put({"properties": {"a": {}}, "required": ["b"], "additionalProperties": False})
    found = checker(path).judge({"b": 1})
    assert found is not None
    assert found.kinds == {"extra_fields": "$: 'b' is not in the schema"}


def meaningful(path: Path, *, formats: bool) -> Checker | None:
    """What checks by a schema; None for one that accepts every document."""
    try:
        return Checker(linked(path, formats=formats))
    except UnmeasurableError as error:
        if "accepts every document" not in str(error):
            raise
        return None


NAMES = st.sampled_from(["a", "b", "c", "ab", "x y"])
#: jsonschema-rs and jsonschema are not asked both where there is one.
LARGE = [2**53, 2**53 + 1, 2**64, 10**30, 1e300]


def values(*numbers: float) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-3, 10)
        | st.sampled_from([*numbers, 0.5, 4.35, 1.1, -0.0, 1.0])
        | st.sampled_from(["", "a", "ab", "abc", "2024-01-01", "é😀"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
        max_leaves=8,
    )


@st.composite
def schemas(draw: st.DrawFn, draft: str, *, large: Sequence[float] = (), depth: int = 3) -> Any:
    if draw(st.integers(0, 15)) == 0:
        return draw(st.booleans())
    inner = schemas(draft, large=large, depth=depth - 1)
    count = st.integers(0, 3)
    number = st.sampled_from([0, 1, 2, -1, 0.5, 1e10, *large[:1]])
    types = st.sampled_from(["object", "array", "string", "number", "integer", "null", "boolean"])
    words: dict[str, Any] = {
        "type": types | st.lists(types, min_size=1, max_size=2, unique=True),
        "enum": st.lists(values(*large), min_size=1, max_size=3),
        "const": values(*large),
        "minimum": number,
        "exclusiveMaximum": number,
        "multipleOf": st.sampled_from([1, 2, 0.5, 0.01, 0.1, 3]),
        "maxLength": count,
        "pattern": st.sampled_from(["^a", "b$", "[0-9]", "^.{2}$"]),
        "minItems": count,
        "uniqueItems": st.booleans(),
        "maxProperties": count,
        "required": st.lists(NAMES, max_size=3, unique=True),
        "format": st.sampled_from(["date", "email"]),
    }
    if depth:
        words |= {
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=2),
            "additionalProperties": inner,
            "propertyNames": inner,
            "items": inner,
            "contains": inner,
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=3),
            "oneOf": st.lists(inner, min_size=1, max_size=3),
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "$ref": st.just("#/definitions/tree"),
        }
        if draft == DRAFTS[0]:
            words["dependencies"] = st.dictionaries(NAMES, inner | st.lists(NAMES, max_size=2, unique=True), max_size=2)
        else:
            words["dependentRequired"] = st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2)
            words["dependentSchemas"] = st.dictionaries(NAMES, inner, max_size=2)
        if draft == DRAFTS[2]:
            words["prefixItems"] = st.lists(inner, min_size=1, max_size=2)
    chosen = draw(st.lists(st.sampled_from(sorted(words)), min_size=1, max_size=4, unique=True))
    return {word: draw(words[word]) for word in chosen}


@settings(deadline=None, max_examples=150)
@given(data=st.data(), draft=st.sampled_from(DRAFTS))
def test_both_libraries_say_the_same_in_the_same_words(
    data: st.DataObject, draft: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    schema = data.draw(schemas(draft))
    if isinstance(schema, bool):
        return
    path = tmp_path_factory.mktemp("both").resolve() / "schema.json"
    tree = {"properties": {"a": {"$ref": "#/definitions/tree"}, "b": {"type": "integer"}}}
    path.write_text(json.dumps({"$schema": draft, **schema, "definitions": {"tree": tree}}), encoding="utf-8")
    found = meaningful(path, formats=True)
    if found is None:
        return
    for document in data.draw(st.lists(values(), min_size=1, max_size=5)):
        verdict = found.judge(document, careful=True)
        if verdict is None:
            found.confirm(document)
        else:
            assert found.explain(document) == verdict.kinds
            assert all("breaks" not in text for text in verdict.kinds.values())


@settings(deadline=None, max_examples=150)
@given(data=st.data(), draft=st.sampled_from(DRAFTS))
def test_linking_changes_no_verdict(data: st.DataObject, draft: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    # Oracle: jsonschema 4.26 on the schema as it is written, but for multipleOf, which divides floats there.
    schema = data.draw(schemas(draft, large=LARGE).filter(lambda found: isinstance(found, dict)))
    text = re.sub(r'"multipleOf": [0-9.]+', '"multipleOf": 1', json.dumps(schema))
    tree = {"properties": {"a": {"$ref": "#/definitions/tree"}, "b": {"type": "integer"}}}
    written = {"$schema": draft, **json.loads(text), "definitions": {"tree": tree}}
    path = tmp_path_factory.mktemp("linked").resolve() / "schema.json"
    path.write_text(json.dumps(written), encoding="utf-8")
    cls: Any = jsonschema.validators.validator_for(written)
    found = meaningful(path, formats=False)
    for document in data.draw(st.lists(values(*LARGE), min_size=1, max_size=5)):
        expected = cls(written).is_valid(document)
        assert expected == (found is None or found.judge(document) is None)
