"""The family `schema`: shares of replies, what reports show of them, and schemas that are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vigate.data.dataset import Dataset, Side, Workspace
from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.data.syntaxes import Syntax
from pytest_vigate.errors import NoDocumentsError, UnmeasurableError
from pytest_vigate.metrics._json_schema import Checker
from pytest_vigate.metrics.schema import Schema
from worlds import evaluate, replies

Put = Callable[..., str]
PART: Mapping[str, Any] = {
    "type": "object",
    "required": ["id", "severity"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^part-[0-9]{3}$"},
        "severity": {"enum": ["low", "medium", "high"]},
        "width": {"type": "number", "multipleOf": 0.01},
    },
}
GOOD = '{"id": "part-001", "severity": "low"}'


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a schema; the path as a metric gets it."""

    def write(schema: object, name: str = "part.json") -> str:
        path = tmp_path.resolve() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(schema if isinstance(schema, str) else json.dumps(schema), encoding="utf-8")
        return str(path)

    return write


def told(metric: Schema, data: Dataset) -> list[str]:
    """What a diagnosis says."""
    return [*metric.explain(metric.measures(metric.statistics(data), data.ids))]


def refused(metric: Schema, data: Dataset) -> str:
    with pytest.raises(UnmeasurableError) as error:
        metric.statistics(data)
    return str(error.value)


def test_shares_are_over_all_replies(put: Put) -> None:
    said = [
        GOOD,
        '{"id": "part-001"}',  # severity is missing
        '{"id": 1, "severity": "low"}',  # another type
        '{"id": "part-001", "severity": "huge", "colour": "red"}',  # another value, and a field too many
        '{"id": "part-001"',  # no document
        None,
    ]
    assert evaluate(Schema(schema=put(PART)), replies(said)) == {
        "adherence": pytest.approx(1 / 6),
        "missing_fields": pytest.approx(3 / 6),  # its own, and the two that say nothing
        "wrong_types": pytest.approx(3 / 6),
        "extra_fields": pytest.approx(3 / 6),
        "wrong_values": pytest.approx(3 / 6),
    }


def test_required_fields_are_the_short_form() -> None:
    said = ['{"a": 1, "b": null, "c": 3}', '{"a": 1}', '["a", "b"]', "nothing"]
    nan = pytest.approx(np.nan, nan_ok=True)  # no field can be too many, and no value wrong
    assert evaluate(Schema(required=("a", "b")), replies(said)) == {
        "adherence": 1 / 4,
        "missing_fields": 2 / 4,
        "wrong_types": 2 / 4,
        "extra_fields": nan,
        "wrong_values": nan,
    }


def test_silence_never_looks_good(put: Put) -> None:
    scores = evaluate(Schema(schema=put(PART)), replies([None, "", "?"]))
    assert scores.pop("adherence") == 0
    assert set(scores.values()) == {1.0}


def test_reply_whose_faults_are_too_many_to_list_counts_in_each_kind(put: Put) -> None:
    path = put({**PART, "required": [f"f{i}" for i in range(1000)]})
    metric, data = Schema(schema=path), replies([json.dumps({f"g{i}": i for i in range(1000)})])  # 1000 × 1000 at most
    assert [*evaluate(metric, data).values()] == [0, 1, 1, 1, 1]
    assert told(metric, data) == [
        "1 reply: 0 adhere to the schema",
        "too large or too deep to say what is wrong: 1",
        "  's0': too large for all that is wrong to be listed",
    ]


def test_fault_counts_once_a_reply(put: Put) -> None:
    said = ['{"a": "x", "b": "y"}', '{"a": 1, "b": 2}']  # two wrong types in one reply
    path = put({"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}})
    assert evaluate(Schema(schema=path), replies(said))["wrong_types"] == 1 / 2


@pytest.mark.parametrize(
    ("schema", "reply", "kind", "text"),
    [
        ({"required": ["a", "b"]}, "{}", "missing_fields", "$: 'a', 'b' are missing"),
        ({"properties": {"x": {"required": ["a"]}}}, '{"x": {}}', "missing_fields", "$.x: 'a' is missing"),
        ({"dependentRequired": {"a": ["b"]}}, '{"a": 1}', "missing_fields", "$: 'b' is missing"),
        ({"required": [*"abcdef"]}, "{}", "missing_fields", "$: 'a', 'b', 'c' and 3 more are missing"),
        ({"type": "object"}, '"hello"', "wrong_types", "$: 'hello' is no object"),
        ({"items": {"type": ["string", "null"]}}, '["a", 3]', "wrong_types", "$[1]: 3 is neither null nor text"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "3", "wrong_types", "$: 3 is neither null nor text"),
        ({"type": "integer"}, "1.5", "wrong_types", "$: 1.5 is no integer"),
        ({"type": "integer"}, "true", "wrong_types", "$: true is no integer"),
        ({"additionalProperties": False}, '{"b": 1}', "extra_fields", "$: 'b' is not in the schema"),
        ({"unevaluatedProperties": False}, '{"b": 1, "c": 2}', "extra_fields", "$: 'b', 'c' are not in the schema"),
        ({"propertyNames": {"maxLength": 2}}, '{"abc": 1}', "extra_fields", "$: 'abc' is not allowed as a name"),
        ({"propertyNames": False}, '{"a": 1}', "extra_fields", "$: 'a' is not allowed as a name"),
        (
            {"properties": {"a b": False}},
            '{"a b": 1}',
            "extra_fields",
            "$['a b']: is there, where the schema allows nothing",
        ),
        (
            {"enum": ["low", "medium", "high"]},
            '"huge"',
            "wrong_values",
            "$: 'huge' is none of 'low', 'medium', 'high'",
        ),
        ({"enum": [*range(100)]}, '"x"', "wrong_values", "$: 'x' is none of 0, 1, 2 and 97 more"),
        ({"const": {"a": 1}}, "[]", "wrong_values", "$: the list is not the object"),
        ({"pattern": "^[0-9]+$"}, '"x\\n"', "wrong_values", "$: 'x\\n' does not match '^[0-9]+$'"),
        ({"minimum": 0}, "-1", "wrong_values", "$: -1 is less than 0"),
        ({"exclusiveMaximum": 1}, "1", "wrong_values", "$: 1 is not less than 1"),
        ({"multipleOf": 0.01}, "0.005", "wrong_values", "$: 0.005 is no multiple of 0.01"),
        ({"maxLength": 2}, '"abc"', "wrong_values", "$: 'abc' has 3 characters, at most 2 due"),
        ({"minItems": 2}, "[0]", "wrong_values", "$: the list has 1 item, at least 2 due"),
        ({"uniqueItems": True}, "[1, 1.0]", "wrong_values", "$: the list has an item twice"),
        (
            {"contains": {"type": "null"}, "minContains": 2},
            "[null]",
            "wrong_values",
            "$: the list does not contain as many items as are due",
        ),
        ({"not": {"type": "object"}}, "{}", "wrong_values", "$: the object is what the schema rules out"),
        (
            {"oneOf": [{"minimum": 1}, {"minimum": 2}]},
            "3",
            "wrong_values",
            "$: 3 fits several alternatives of oneOf, where one is due",
        ),
        (
            {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            "{}",
            "wrong_values",
            "$: the object fits none of the 2 alternatives of anyOf",
        ),
        (
            {  # the kind says which alternative is meant
                "oneOf": [
                    {"properties": {"kind": {"const": "dent"}}, "required": ["kind", "depth"]},
                    {"properties": {"kind": {"const": "crack"}}, "required": ["kind", "length"]},
                ]
            },
            '{"kind": "dent"}',
            "missing_fields",
            "$: 'depth' is missing",
        ),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{}], "additionalItems": False},
            "[1, 2]",
            "wrong_values",
            "$: the list has more items than are due",
        ),
    ],
)
def test_fault_has_its_kind_and_its_words(put: Put, schema: object, reply: str, kind: str, text: str) -> None:
    metric, data = Schema(schema=put(schema)), replies([reply])
    scores = evaluate(metric, data)
    assert {name for name, value in scores.items() if value > 0} == {kind}
    assert told(metric, data) == [
        "1 reply: 0 adhere to the schema",
        f"{kind.replace('_', ' ')}: 1",
        f"  's0': {text}",
    ]


def test_long_values_and_names_are_cut_and_escaped(put: Put) -> None:
    reply = json.dumps({"\x1b[31m" + "n" * 99: "v" * 99})
    path = put({"additionalProperties": {"type": "null"}})
    assert told(Schema(schema=path), replies([reply]))[2] == (
        f"  's0': $['\\u001b[31m{'n' * 37}…{'n' * 48}']: '{'v' * 59}…' is no null"
    )


def test_report_shows_five_samples_a_kind(put: Put) -> None:
    found = told(Schema(schema=put(PART)), replies(["{}"] * 7))
    assert found == [
        "7 replies: 0 adhere to the schema",
        "missing fields: 7",
        *(f"  's{i}': $: 'id', 'severity' are missing" for i in range(5)),
    ]


def test_unparsed_reply_shows_its_cause_and_the_place(put: Put) -> None:
    assert told(Schema(schema=put(PART)), replies(['{"id": 1,}'])) == [
        "1 reply: 0 adhere to the schema",
        "no document: 1",
        "  's0': trailing comma at character 9: {\"id\": 1,}",
        "                                               ^",
    ]


def test_slices_have_remarks_for_samples_behind_the_first_five(put: Put) -> None:
    metric = Schema(schema=put(PART))
    statistics = metric.statistics(replies(["{}"] * 7)).select(np.arange(7) >= 5)
    assert metric.measures(statistics, ["s5", "s6"])["kinds"] == [
        {
            "kind": "missing fields",
            "count": 2,
            "samples": [
                {"id": "s5", "piece": "$: 'id', 'severity' are missing"},
                {"id": "s6", "piece": "$: 'id', 'severity' are missing"},
            ],
        }
    ]


def test_schema_without_type_lets_a_bare_text_pass_and_says_so(put: Put) -> None:
    metric = Schema(schema=put({"required": ["a"]}))
    statistics = metric.statistics(replies(['"hello"', '{"a": 1}', "[]"]))
    assert metric.evaluate(statistics, np.ones((1, 3)))[0, 0] == 1
    assert metric.caveats(statistics, "adherence") == (
        'replies that adhere and are no objects, though the schema names fields: 2; write "type": "object" into the '
        "schema",
    )
    assert metric.caveats(statistics, "wrong_types") == ()


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"properties": {"a": {}}, "required": ["a"]}]},
        {"$ref": "#/$defs/part", "$defs": {"part": {"required": ["a"]}}},
        {"anyOf": [{"required": ["a"]}, {"allOf": [{"required": ["b"]}]}]},
        {"oneOf": [{"required": ["a"]}, {"type": "string"}]},
        {"if": {"type": "array"}, "then": {"required": ["a"]}, "else": {"required": ["a"]}},
    ],
)
def test_schema_without_type_is_found_behind_references_and_choices(put: Put, schema: object) -> None:
    metric = Schema(schema=put(schema))
    statistics = metric.statistics(replies(["[]", "5"]))
    assert metric.evaluate(statistics, np.ones((1, 2)))[0, 0] == 1
    assert metric.caveats(statistics, "adherence")[0].startswith(
        "replies that adhere and are no objects, though the schema names fields: 2; "
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "object", "required": ["a"]}, {"type": "array"}]},
        {"type": ["object", "array"], "required": ["a"]},
        {"type": "array", "items": {"required": ["a"]}},
    ],
)
def test_type_that_is_stated_is_meant(put: Put, schema: object) -> None:
    metric = Schema(schema=put(schema))
    assert metric.caveats(metric.statistics(replies(["[]"])), "adherence") == ()


@pytest.mark.parametrize(
    ("schema", "notes"),
    [
        (
            {"type": "object", "properties": {"a": {"type": "string"}}},
            ("part.json: no field is required, so that {} adheres; list the fields that are due under required",),
        ),
        (
            {"type": "object", "properties": {"a": {"required": ["b"]}}},  # reached only where there is an a
            ("part.json: no field is required, so that {} adheres; list the fields that are due under required",),
        ),
        (
            {"allOf": [{"type": "object"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"properties": {"b": False}}}},
            ("part.json: no field is required, so that {} adheres; list the fields that are due under required",),
        ),
        (
            {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
            ("part.json: no object has a field that is required; list the fields that are due under required",),
        ),
        ({"type": "array", "items": {"properties": {"a": {}}, "required": ["a"]}}, ()),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, ()),
        ({"enum": ["yes", "no"]}, ()),
    ],
)
def test_every_verdict_says_that_no_field_is_required(put: Put, schema: object, notes: Sequence[str]) -> None:
    assert Schema(schema=put(schema)).statistics(replies([GOOD])).notes == notes


def test_kind_of_fault_that_cannot_occur_is_undefined(put: Put) -> None:
    text = (
        "part.json: no field is required, so that none can be missing; list the fields that are due under required, "
        "or gate schema.adherence"
    )
    found = Schema(schema=put({"enum": ["yes"]})).statistics(replies(['"yes"', None])).undefined
    assert found["missing_fields"] == text
    assert found.keys() == {"missing_fields", "wrong_types", "extra_fields"}
    found = Schema(required=("a",)).statistics(replies(['{"a": 1}'])).undefined
    assert found == {
        "extra_fields": "required: all fields are allowed, so that none can be extra; write a schema with "
        "additionalProperties: false, or gate schema.adherence",
        "wrong_values": "required: nothing is stated but fields and types, so that no other value can be wrong; state "
        "what values are due, or gate schema.adherence",
    }
    assert not Schema(required=("a",)).trials(Schema(required=("a",)).statistics(replies(["{}"])))[:, 3:].any()


@pytest.mark.parametrize(
    ("schema", "kind", "reply"),
    [
        ({"dependentRequired": {"a": ["b"]}}, "missing_fields", '{"a": 1}'),
        ({"anyOf": [{"required": ["a"]}]}, "missing_fields", "{}"),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}},
            "missing_fields",
            '{"a": 1}',
        ),
        ({"items": {"type": "string"}}, "wrong_types", "[1]"),
        ({"propertyNames": {"maxLength": 1}}, "extra_fields", '{"ab": 1}'),
        ({"unevaluatedProperties": False}, "extra_fields", '{"ab": 1}'),
        ({"unevaluatedProperties": {"type": "string"}}, "extra_fields", '{"ab": 1}'),
        ({"additionalProperties": False}, "extra_fields", '{"ab": 1}'),
        ({"patternProperties": {"^x": False}}, "extra_fields", '{"x": 1}'),
        ({"properties": {"a": {"$ref": "#/$defs/no"}}, "$defs": {"no": False}}, "extra_fields", '{"a": 1}'),
        ({"prefixItems": [{}], "items": False}, "wrong_values", "[1, 2]"),
        ({"contains": {"type": "null"}}, "wrong_values", "[1]"),
        ({"oneOf": [{}, {}]}, "wrong_values", "1"),
    ],
)
def test_kind_of_fault_that_may_occur_is_defined(put: Put, schema: object, kind: str, reply: str) -> None:
    assert evaluate(Schema(schema=put(schema)), replies([reply]))[kind] == 1


def test_wrong_values_are_defined_where_documents_may_hold_what_json_has_not() -> None:
    said = [{"a": float("nan")}]
    side = replace(replies(['{"a": NaN}']).predictions, syntax=Syntax(nan=True), derive_documents=lambda: said)
    data = replace(replies([None]), predictions=side)
    assert evaluate(Schema(required=("a",)), data)["wrong_values"] == 1


@pytest.mark.parametrize("keyword", ["properties", "patternProperties", "additionalProperties"])
def test_field_without_a_name_that_is_not_allowed_is_an_extra_one(put: Put, keyword: str) -> None:
    # jsonschema-rs 0.60 leaves the name out of the path
    value: object = {"not": {}} if keyword == "additionalProperties" else {"": False}
    scores = evaluate(
        Schema(schema=put({"type": "object", "items": {"enum": [1]}, keyword: value})), replies(['{"": 1}'])
    )
    assert (scores["extra_fields"], scores["wrong_values"]) == (1, 0)


def test_items_that_are_not_allowed_are_wrong_values(put: Put) -> None:
    schema = {"additionalProperties": {"items": False}, "propertyNames": {"maxLength": 1}}
    scores = evaluate(Schema(schema=put(schema)), replies(['{"a": [1]}']))
    assert (scores["extra_fields"], scores["wrong_values"]) == (0, 1)


def test_choice_of_too_many_alternatives_counts_in_each_kind(put: Put) -> None:
    def schema(count: int) -> dict[str, Any]:
        kinds: list[Any] = [{"properties": {"kind": {"const": i}}, "required": ["kind", "a"]} for i in range(count)]
        return {**PART, "additionalProperties": True, "required": [], "oneOf": kinds}

    data = replies(['{"kind": 3}'])
    assert evaluate(Schema(schema=put(schema(200))), data)["missing_fields"] == 1  # 200 × 2 - 1 faults
    assert told(Schema(schema=put(schema(200))), data)[2] == "  's0': $: 'a' is missing"
    assert told(Schema(schema=put(schema(300))), data)[1:] == [  # 300 × 2 - 1
        "too large or too deep to say what is wrong: 1",
        "  's0': too many alternatives for all that is wrong to be listed",
    ]


def test_one_reply_is_spoken_of_in_the_singular() -> None:
    metric = Schema(required=("a",))
    assert told(metric, replies(['{"a": 1}'])) == ["1 reply: 1 adheres to the schema"]
    assert told(metric, replies(['{"a": 1}'] * 2)) == ["2 replies: 2 adhere to the schema"]


def test_faults_are_named_for_the_worst_samples(put: Put) -> None:
    metric = Schema(schema=put(PART))
    assert metric.faults("wrong_types") == {
        "wrong_types": "wrong types",
        "unparsed": "no document",
        "unsaid": "too large or too deep to say what is wrong",
    }
    assert [*metric.faults("adherence")] == [
        "missing_fields",
        "wrong_types",
        "extra_fields",
        "wrong_values",
        "unparsed",
        "unsaid",
    ]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"schema": "part.json", "required": ("a",)},
            "required: it is the short form of a schema, and schema names a file; leave one out",
        ),
        ({"required": ("a", "b", "a")}, "required: a field is named twice in a, b, a; name it once"),
        (
            {"required": ("a",), "formats": True},
            "formats: only a schema file states formats; name it as schema: file.json",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Schema(**parameters)


def test_path_may_be_relative(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(put(PART)).parent)
    assert evaluate(Schema(schema="part.json"), replies([GOOD]))["adherence"] == 1


def test_nothing_to_check_is_unmeasurable() -> None:
    assert refused(Schema(), replies([GOOD])) == (
        "schema has nothing to check; write metrics: {schema: {schema: file.json}}, or in short "
        "{required: [first, second]}"
    )


def test_formats_are_checked_when_asked(put: Put) -> None:
    path = put({"type": "object", "required": ["day"], "properties": {"day": {"format": "date"}}})
    said = replies(['{"day": "2024-02-30"}', '{"day": "2024-02-29"}'])
    assert evaluate(Schema(schema=path), said)["adherence"] == 1
    assert Schema(schema=path).statistics(said).notes == (
        "the schema states formats, which are not checked; set formats: true",
    )
    assert evaluate(Schema(schema=path, formats=True), said)["wrong_values"] == 1 / 2
    assert Schema(schema=path, formats=True).statistics(said).notes == ()
    assert told(Schema(schema=path, formats=True), said)[2] == "  's0': $.day: '2024-02-30' is not of the format 'date'"


def test_signature_has_the_content_of_the_schema(put: Put) -> None:
    path = put(PART)
    first = Schema(schema=path).statistics(replies([GOOD])).settled
    assert first == {"schema": Schema(schema=put(PART, "sub/part.json")).statistics(replies([GOOD])).settled["schema"]}
    put({**PART, "minProperties": 1})
    assert Schema(schema=path).statistics(replies([GOOD])).settled != first
    assert Schema(required=("id",)).statistics(replies([GOOD])).settled == {}


def test_signature_has_the_content_of_files_that_it_refers_to(put: Put) -> None:
    path = put({"$ref": "other.json"})
    put(PART, "other.json")
    first = Schema(schema=path).statistics(replies([GOOD])).settled
    put({**PART, "minProperties": 1}, "other.json")
    assert Schema(schema=path).statistics(replies([GOOD])).settled != first


def test_references_that_violate_the_schema_are_unmeasurable(put: Put) -> None:
    due = [json.loads(GOOD), {"id": "part-002", "severity": "huge"}, {}]
    assert refused(Schema(schema=put(PART)), replies([GOOD] * 3, due)) == (
        "references.jsonl: the reference 's1' violates the schema part.json: $.severity: 'huge' is none of 'low', "
        "'medium', 'high', and 1 more references violate it; fix the data, or the schema"
    )


def test_references_that_adhere_are_fine(put: Put) -> None:
    assert evaluate(Schema(schema=put(PART)), replies([GOOD], [json.loads(GOOD)]))["adherence"] == 1


def test_references_that_are_bare_values_are_texts_for_other_families(put: Put) -> None:
    # YAML and numbers parse as documents, whatever they are meant to be
    assert evaluate(Schema(schema=put(PART)), replies([GOOD, GOOD], ["a red car", 12]))["adherence"] == 1


def test_one_reference_that_is_a_list_makes_them_documents(put: Put) -> None:
    assert refused(Schema(schema=put(PART)), replies([GOOD, GOOD], ["a red car", []])).startswith(
        "references.jsonl: the reference 's0' violates the schema part.json: $: 'a red car' is no object"
    )


def test_bare_references_of_a_schema_for_bare_values_are_documents(put: Put) -> None:
    path = put({"enum": ["yes", "no"]})
    assert refused(Schema(schema=path), replies(['"yes"'] * 2, ["yes", "maybe"])).startswith(
        "references.jsonl: the reference 's1' violates the schema part.json: $: 'maybe' is none of 'yes', 'no'"
    )


def test_references_none_of_which_parses_are_texts(put: Put) -> None:
    def derive() -> list[object]:
        raise NoDocumentsError("references.jsonl:1", "no document")

    side = Side("references.jsonl", np.ones(1, dtype=np.bool_), derive_documents=derive)
    data = replace(replies([GOOD]), references=side)
    assert evaluate(Schema(schema=put(PART)), data)["adherence"] == 1


def test_predictions_that_are_parsed_already_are_checked(put: Put) -> None:
    documents: list[object] = [json.loads(GOOD), {}, ParseFailure("no reply"), 10**5000]
    side = Side("predictions.jsonl", np.ones(4, dtype=np.bool_), derive_documents=lambda: documents)
    scores = evaluate(Schema(schema=put(PART)), replace(replies([None] * 4), predictions=side))
    assert scores["adherence"] == 1 / 4
    assert scores["wrong_values"] == 2 / 4  # no reply, and a number that nobody can compare


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_has_not_are_wrong_values(put: Put, value: str) -> None:
    # jsonschema-rs takes NaN for null and infinity for a number below every maximum
    path = put({"items": {"anyOf": [{"type": "null"}, {"maximum": 1}]}})
    data = replies([None, None])
    said = [[1, float(value)], [1, None]]
    side = replace(
        data.predictions, replies=(f"[1, {value}]", "[1, null]"), syntax=Syntax(nan=True), derive_documents=lambda: said
    )
    metric, data = Schema(schema=path), replace(data, predictions=side)
    assert evaluate(metric, data)["wrong_values"] == 1 / 2
    assert told(metric, data)[2] == f"  's0': $[1]: {float(value)!r} is no number of JSON"


def test_integer_that_no_library_reads_is_a_wrong_value(put: Put) -> None:
    # jsonschema-rs takes an integer that Python does not print for null
    documents: list[object] = [{"a": 10**5000}, {"a": 10**600}, {"a": 5}]
    side = Side("predictions.jsonl", np.ones(3, dtype=np.bool_), derive_documents=lambda: documents)
    metric = Schema(schema=put({"properties": {"a": {"anyOf": [{"type": "null"}, {"maximum": 5}]}}}))
    data = replace(replies([None] * 3), predictions=side)
    assert evaluate(metric, data)["wrong_values"] == pytest.approx(2 / 3)
    assert told(metric, data)[2] == "  's0': $.a: an integer of more than 640 digits, which cannot be compared"


def test_halves_of_characters_count_as_characters(put: Put) -> None:
    path = put({"type": "object", "properties": {"a": {"maxLength": 2}}, "additionalProperties": False})
    documents: list[object] = [{"a": "\ud800x"}, {"a": "\ud800xy"}, {"\udc00": 1}]
    side = replies(["{}"]).predictions
    side = replace(
        side,
        present=np.ones(3, dtype=np.bool_),
        replies=("{}", "{}", "{}"),
        syntax=Syntax(surrogates=True),
        derive_documents=lambda: documents,
    )
    scores = evaluate(Schema(schema=path), replace(replies(["{}"] * 3), predictions=side))
    assert (scores["adherence"], scores["wrong_values"], scores["extra_fields"]) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_decimal_fractions_are_what_their_digits_say(put: Put) -> None:
    # 4.35 / 0.01 is 434.99999999999994 in double arithmetic, and 1.1 / 0.01 is 110.00000000000001
    said = ["4.35", "1.1", "19.99", "123456789.01", "0.005"]
    assert evaluate(Schema(schema=put({"multipleOf": 0.01})), replies(said))["adherence"] == pytest.approx(4 / 5)


def test_integral_numbers_are_integers_in_any_notation(put: Put) -> None:
    assert evaluate(Schema(schema=put({"type": "integer"})), replies(["1.0", "1e3", "-0.0", "1.5"]))[
        "wrong_types"
    ] == pytest.approx(1 / 4)


def test_jsonschema_that_disagrees_is_an_error_of_ours(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    # what if jsonschema saw no wrong types?
    monkeypatch.setitem(jsonschema.Draft202012Validator.VALIDATORS, "type", lambda *_: None)
    assert refused(Schema(schema=put({"type": "object"})), replies(["3"])) == (
        "jsonschema accepts a document, and jsonschema-rs does not; they have to agree, so this is a fault of "
        "pytest-vigate or of a library, and says nothing of the model; please report the schema and the document"
    )


def test_jsonschema_is_asked_of_what_adheres_too(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        yield jsonschema.ValidationError("never")

    monkeypatch.setitem(jsonschema.Draft202012Validator.VALIDATORS, "type", never)
    assert refused(Schema(schema=put({"type": "object"})), replies(["{}"])) == (
        "jsonschema-rs accepts a document, and jsonschema does not: $: the object is no object; they have to agree, so "
        "this is a fault of pytest-vigate or of a library, and says nothing of the model; please report the schema and "
        "the document"
    )


def test_documents_that_are_confirmed_differ_in_structure(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(Checker, "confirm", lambda _, document: asked.append(document))
    said = [*(json.dumps({"a": i}) for i in range(100)), '{"b": 1}', '{"c": 1}']
    Schema(schema=put({"type": "object"})).statistics(replies(said))
    # the 1st, 2nd, 4th, … 64th that adheres, and the first of each other structure
    assert asked == [{"a": i} for i in (0, 1, 3, 7, 15, 31, 63)] + [{"b": 1}, {"c": 1}]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.sampled_from([GOOD, "{}", '{"id": 1}', "oops", None, '{"id": "part-001", "x": 1}', "[]"]), max_size=12)
)
def test_replies_are_judged_each_alone(said: Sequence[str | None]) -> None:
    metric = Schema(required=("id", "severity"))
    whole = metric.statistics(replies(said)).totals
    alone = [metric.statistics(replies([reply])).totals[0] for reply in said]
    assert np.array_equal(whole, np.array(alone).reshape(whole.shape))


def test_files_are_found_below_any_root(put: Put, tmp_path: Path) -> None:
    path = put({"$ref": "../shared/part.json"}, "gates/part.json")
    put(PART, "shared/part.json")
    data = replace(replies([GOOD, "{}"]), workspace=Workspace(roots=(tmp_path.resolve(),)))
    assert evaluate(Schema(schema=path), data)["adherence"] == 1 / 2
    assert refused(Schema(schema=path), replies([GOOD])) == (
        "part.json: $: $ref is '../shared/part.json', which leads out of the folders that data may come from; "
        "move that file below the root"
    )
