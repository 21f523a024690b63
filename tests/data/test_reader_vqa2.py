from __future__ import annotations

import pytest

from data.world import READERS, World, message
from pytest_vigate.data.joining import join
from pytest_vigate.data.readers import load
from pytest_vigate.data.tables import Source, Table

TEN = ["2", "2", "two", "2", "3", "2", "two", "2", "2", "2"]


def annotation(question_id: int | str, *answers: object, **more: object) -> dict[str, object]:
    given = [{"answer": one, "answer_confidence": "yes", "answer_id": i} for i, one in enumerate(answers, start=1)]
    return {
        "question_type": "how many",
        "multiple_choice_answer": "2",
        "answers": given,
        "image_id": 42,
        "answer_type": "number",
        "question_id": question_id,
        **more,
    }


def annotated(world: World, *annotations: object) -> None:
    world.write_json("v2_annotations.json", {"info": {}, "data_type": "mscoco", "annotations": annotations})


def asked(world: World, *questions: object) -> None:
    world.write_json("v2_questions.json", {"info": {}, "task_type": "Open-Ended", "questions": questions})


def both_files(world: World, **declared: str) -> Table:
    paths = tuple(sorted(world.root.glob("v2_*.json")))
    return load(Source("references", "v2_*.json", paths, (world.root,), **declared), READERS)  # type: ignore[arg-type]  # a format


def test_answers_of_ten_people_are_all_kept(world: World) -> None:
    annotated(world, annotation(42000, *TEN), annotation("42001", "red", "dark red", image_id=43, answer_type="other"))
    world.write_json("results.json", [{"question_id": "42000", "answer": "two"}])
    predictions, references = world.predictions("results.json"), world.references("v2_annotations.json")
    assert predictions.source.format == references.source.format == "vqa2"
    names = ("question_type", "answer_type", "image_id", "multiple_choice_answer")
    dataset = join(predictions, references, attributes=names)
    assert dataset.ids == ("42000", "42001")
    assert dataset.references.texts == (tuple(TEN), ("red", "dark red"))
    assert dataset.predictions.texts == (("two",), ("",))
    assert dataset.predictions.answered.tolist() == [True, False]
    assert dataset.attributes == {
        "question_type": ("how many", "how many"),
        "answer_type": ("number", "other"),
        "image_id": ("42", "43"),
        "multiple_choice_answer": ("2", "2"),
    }


def test_questions_are_in_a_file_of_their_own(world: World) -> None:
    annotated(world, annotation(1, "2"), annotation(2, "red"), annotation(3, "no"))
    asked(
        world,
        {"image_id": 42, "question": "What colour?", "question_id": "2"},
        {"image_id": 42, "question": "How many?", "question_id": 1},
        {"image_id": 42, "question": "Why?", "question_id": 9},
    )
    table = both_files(world)
    assert table.source.format == "vqa2"
    assert table.keys == {"id": ("1", "2", "3")}
    assert table.attribute("question") == ("How many?", "What colour?", None)
    assert "answers" not in table.field_names()
    assert {"question", "question_type", "image_id"} <= set(table.field_names())
    assert table.places(1) == "v2_annotations.json: annotations[1]"


def test_questions_and_annotations_may_share_a_file(world: World) -> None:
    world.write_json(
        "v2.json",
        {"questions": [{"question": "How many?", "question_id": 1}], "annotations": [annotation(1, "2")]},
    )
    table = world.references("v2.json")
    assert table.source.format == "vqa2"
    assert table.attribute("question") == ("How many?",)


def test_questions_alone_are_no_references(world: World) -> None:
    asked(world, {"image_id": 42, "question": "Why?", "question_id": 9})
    assert message(lambda: world.references("v2_questions.json")) == (
        "v2_questions.json: there are questions, and no annotations with their answers; name both files with a glob"
    )


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"question_id": 2}, "v2_annotations.json: $.annotations[1]: the field 'answers' is missing"),
        (
            annotation(2, "2", 2),
            "v2_annotations.json: $.annotations[1].answers[1].answer: expected str, got int",
        ),
        (
            annotation("1", "2"),
            "v2_annotations.json: annotations[1]: the question_id '1' is already that of "
            "v2_annotations.json: annotations[0]; keep the one that is meant",
        ),
    ],
)
def test_annotations_that_cannot_be_read_are_named(world: World, second: object, expected: str) -> None:
    annotated(world, annotation(1, "2"), second)
    assert message(lambda: world.references("v2_annotations.json", format="vqa2")) == expected


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], "the record has no reference text; write the answer that is due"),
        (["2", ""], "a reference text is empty; write the answer that is due, or drop the record"),
    ],
)
def test_annotation_without_an_answer_is_named(world: World, answers: list[str], expected: str) -> None:
    annotated(world, annotation(1, "2"), annotation(2, *answers))
    world.write_json("results.json", [{"question_id": 1, "answer": "two"}])
    side = join(world.predictions("results.json"), world.references("v2_annotations.json")).references
    assert message(lambda: side.texts) == f"v2_annotations.json: annotations[1]: {expected}"


def test_file_of_neither_questions_nor_annotations(world: World) -> None:
    world.write_json("v2.json", {"info": {}})
    assert message(lambda: world.references("v2.json", format="vqa2")) == (
        "v2.json: $: there are no annotations and no questions; name the files that hold them"
    )


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([{"question_id": 1}], "results.json: $[1]: the field 'answer' is missing"),
        ([{"question_id": 1, "answer": 2}], "results.json: $[1].answer: expected str | null, got int"),
        (
            [{"question_id": "9", "answer": "2"}],
            "results.json: [1]: the question_id '9' is already that of results.json: [0]; keep the one that is meant",
        ),
    ],
)
def test_results_that_cannot_be_read_are_named(world: World, results: list[object], expected: str) -> None:
    world.write_json("results.json", [{"question_id": 9, "answer": "a"}, *results])
    assert message(lambda: world.predictions("results.json")) == expected


def test_answer_to_a_question_that_nobody_asked(world: World) -> None:
    annotated(world, annotation(1, "2"))
    world.write_json("results.json", [{"question_id": 1, "answer": "2"}, {"question_id": 2, "answer": None}])
    predictions, references = world.predictions("results.json"), world.references("v2_annotations.json")
    assert message(lambda: join(predictions, references)) == (
        "results.json: [1]: 1 prediction has no reference: '2'; add the references, or declare extra: ignore"
    )
    assert join(predictions, references, extra="ignore").predictions.texts == (("2",),)


def test_fields_have_no_other_names(world: World) -> None:
    annotated(world, annotation(1, "2"))
    assert message(lambda: world.references("v2_annotations.json", fields={"id": "image_id"})) == (
        "v2_annotations.json: fields: format 'vqa2' has no field 'id' to rename; it has none"
    )
