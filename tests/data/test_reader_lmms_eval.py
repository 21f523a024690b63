from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.world import World, message, steps
from pytest_vigate.data.joining import join
from pytest_vigate.data.readers.lmms_eval import targets
from pytest_vigate.errors import NoDocumentsError


def sample(doc_id: int, target: object, responses: object, **more: object) -> dict[str, object]:
    return {
        "doc_id": doc_id,
        "input": "How many?",
        "target": target,
        "filtered_resps": responses,
        "doc_hash": "74234e98afe7498f",
        "exact_match": 0.0,
        **more,
    }


NAME = "20250101_120000_samples_vqav2_val.jsonl"


def test_one_file_holds_both_sides(world: World) -> None:
    world.write_lines(NAME, sample(0, "two", ["Two."]), sample(1, "['red', \"it's red\"]", "red", exact_match=1.0))
    predictions, references = world.predictions(NAME), world.references(NAME)
    assert predictions.source.format == references.source.format == "lmms-eval"
    assert (predictions.text_field, references.text_field) == ("filtered_resps", "target")
    assert predictions.counterpart is not None
    for dataset in (
        join(predictions, references, attributes=("exact_match",)),
        join(predictions, predictions.counterpart(), attributes=("exact_match",)),
    ):
        assert dataset.ids == ("0", "1")
        assert dataset.predictions.texts == (("Two.",), ("red",))
        assert dataset.references.texts == (("two",), ("red", "it's red"))
        assert dataset.attributes == {"exact_match": ("0.0", "1.0")}
        assert dataset.references.parts == {"texts", "documents"}
    assert references.counterpart is None


@pytest.mark.parametrize(
    ("responses", "reply"),
    [("two", "two"), (["two"], "two"), ([["two"]], "two"), ([], None), ([[]], None), (None, None), ([""], "")],
)
def test_only_response_is_the_reply(world: World, responses: object, reply: str | None) -> None:
    world.write_lines(NAME, sample(0, "two", responses))
    assert world.predictions(NAME).replies == (reply,)


@pytest.mark.parametrize(
    ("responses", "expected"),
    [(["a", "b"], "$.filtered_resps: 2 responses"), ([["a", "b", "c"]], "$.filtered_resps[0]: 3 responses")],
)
def test_several_responses_are_no_answer(world: World, responses: object, expected: str) -> None:
    world.write_lines(NAME, sample(0, "a", ["a"], best="b"), sample(1, "a", responses, best="b"))
    assert message(lambda: world.predictions(NAME)) == (
        f"{NAME}:2: {expected}, where one is due; name the field that holds the answer: fields: {{prediction: …}}"
    )
    table = world.predictions(NAME, fields={"prediction": "best"})
    assert table.replies == ("b", "b")
    assert table.text_field == "best"
    assert world.references(NAME).derive_texts is not None


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (sample(1, "a", [2]), "$.filtered_resps[0]: expected str, got int; write the reply as text"),
        (sample(1, "a", 2), "$.filtered_resps: expected str, got int; write the reply as text"),
        (
            sample(1, "a", [{"a": 1}]),
            "$.filtered_resps[0]: expected str, got object; write the reply as text",
        ),
        (
            sample(1, "a", {"a": 1}),
            "$.filtered_resps: expected str, got object; write the reply as text, or declare format: jsonl and fields: "
            "{id: doc_id, prediction: filtered_resps, reference: target}",
        ),
        (
            {"doc_id": 1, "target": "a"},
            "the field 'filtered_resps' is missing; name the one that holds the answer: fields: {prediction: …}",
        ),
        (
            {"target": "a", "filtered_resps": "a"},
            "the field 'doc_id' is missing; name the file of samples that lmms-eval has written",
        ),
    ],
)
def test_samples_that_cannot_be_read_are_named(world: World, record: dict[str, object], expected: str) -> None:
    world.write_lines(NAME, sample(0, "a", ["a"]), record)
    assert message(lambda: world.predictions(NAME)) == f"{NAME}:2: {expected}"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (2, "$.target: expected str, got int"),
        (["a"], "$.target: expected str, got array"),
        (None, "the record has no reference text; write the answer that is due"),
        ("[]", "the record has no reference text; write the answer that is due"),
        ("", "a reference text is empty; write the answer that is due, or drop the record"),
        ("['a', '']", "a reference text is empty; write the answer that is due, or drop the record"),
        ("['\\udc00']", "$.target: half of a character is no text; correct it"),
    ],
)
def test_target_that_is_no_text_is_named(world: World, target: object, expected: str) -> None:
    world.write_lines(NAME, sample(0, "a", ["a"]), sample(1, target, ["a"]))
    dataset = join(world.predictions(NAME), world.references(NAME))
    assert message(lambda: dataset.references.texts) == f"{NAME}:2: {expected}"


@pytest.mark.parametrize(
    ("target", "document"),
    [('["1"]', ["1"]), ('{"a": 1}', {"a": 1}), ("[]", []), ('["a", "b"]', ["a", "b"]), ("2", 2), ("null", None)],
)
def test_target_is_the_text_of_a_document_whole(world: World, target: str, document: object) -> None:
    world.write_lines(NAME, sample(0, target, ["1"]))
    predictions = world.predictions(NAME)
    assert predictions.counterpart is not None
    for references in (world.references(NAME), predictions.counterpart()):
        data = join(predictions, references)
        assert [*data.references.documents] == [document]
        assert [*data.predictions.documents] == [1]


@pytest.mark.parametrize("target", ["['red', \"it's red\"]", None])
def test_targets_that_are_texts_are_no_documents(world: World, target: str | None) -> None:
    world.write_lines(NAME, sample(0, "two", ["2"]), sample(1, target, ["red"]))
    data = join(world.predictions(NAME), world.references(NAME))
    with pytest.raises(NoDocumentsError):
        _ = data.references.documents


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, "the record has no reference; write the document that is due"),
        (["a"], "$.target: expected str, got array"),
    ],
)
def test_target_that_is_no_document_is_named(world: World, target: object, expected: str) -> None:
    world.write_lines(NAME, sample(0, "1", ["a"]), sample(1, target, ["a"]))
    data = join(world.predictions(NAME), world.references(NAME))
    assert message(lambda: data.references.documents) == f"{NAME}:2: {expected}"


def test_parsed_responses_are_read_as_they_are_told(world: World) -> None:
    world.write_lines(NAME, sample(0, '{"a": 1}', {"a": 2}))
    fields = {"id": "doc_id", "prediction": "filtered_resps", "reference": "target"}
    predictions = world.predictions(NAME, format="jsonl", fields=fields)
    assert predictions.counterpart is not None
    data = join(predictions, predictions.counterpart())
    assert ([*data.predictions.documents], [*data.references.documents]) == ([{"a": 2}], [{"a": 1}])


def test_declared_ids_tell_tasks_apart(world: World) -> None:
    world.write_lines(NAME, sample(0, "a", ["a"], task="x"), sample(0, "b", ["b"], task="y"))
    table = world.predictions(NAME, fields={"id": ("task", "doc_id")})
    assert table.keys == {"id": ("x | 0", "y | 0")}
    assert message(lambda: join(world.predictions(NAME), world.references(NAME))) == (
        f"{NAME}:2: the id '0' is already that of {NAME}:1; if both are meant, "
        "make the id of more fields: fields: {id: [doc_id, task]}"
    )


@given(texts=st.lists(st.text(st.characters(codec=None)), min_size=0, max_size=4))
def test_list_of_strings_as_python_writes_it_is_read_back(texts: list[str]) -> None:
    assert targets(str(texts)) == tuple(texts)


@given(text=st.text(alphabet="[]'\",\\ anx0", max_size=12))
def test_text_is_either_such_a_list_or_one(text: str) -> None:
    found = targets(text)
    assert found == (text,) or (text[0], text[-1]) == ("[", "]")


@pytest.mark.parametrize(
    "text",
    [
        *("two", "None", "[1, 2]", "('a', 'b')", "['a'] or ['b']", " ['a']"),
        *("['a', 2]", "['a'", "['a','b']", "['a' 'b']", "['a', ]", "['a\nb']"),
        *("['\\q']", "['\\x0']", "['\\U00110000']"),
    ],
)
def test_other_text_is_one_target(text: str) -> None:
    assert targets(text) == (text,)


@pytest.mark.parametrize("unit", ["'a', ", "'", "\\'", "['", '"', "'a' "])
def test_work_grows_no_faster_than_the_target(unit: str) -> None:
    short, long = (steps(lambda n=n: targets("[" + unit * n)) for n in (1_000, 10_000))  # type: ignore[misc]  # mypy knows no type of a default
    assert long <= 11 * short + 1_000
