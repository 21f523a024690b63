"""Files that hold both sides, and sides that are the same file, as a session loads them."""

from __future__ import annotations

import pytest

from data.world import READERS, World
from pytest_vigate.data.dataset import Workspace
from pytest_vigate.data.presets import builtin
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.evaluation.cache import Loaded, Session
from pytest_vigate.evaluation.loading import Loader
from pytest_vigate.gates.rules import read

PRESETS = {preset.name: preset for preset in builtin()}


def loaded(world: World, data: str) -> Loaded:
    """What a session makes of the data of a gate."""
    text = f"vigate: 1\ndata: {data}\nthresholds: {{coverage.predictions: {{min: 0.5}}}}\n"
    gate, problems = read(world.write("x.gate.yaml", text), file="x.gate.yaml", roots=(world.root,))
    assert gate is not None, problems
    loader = Loader(READERS, PRESETS, Workspace())
    return Session(version="0").load(gate.data, evidence="samples", loader=loader, metrics=())


def write_both(world: World) -> None:
    world.write_lines("all.jsonl", {"id": 1, "prediction": "2", "reference": ["two", "2"]})
    world.write("all.csv", "id,prediction,reference\n1,2,two\n1,,2\n")
    sample = {"doc_id": 1, "input": "?", "target": "['two', '2']", "filtered_resps": ["2"]}
    world.write_lines("x_samples_y.jsonl", sample)


def write_one_text(world: World) -> None:
    world.write_lines("all.jsonl", {"id": 1, "prediction": "2", "reference": "two"})
    world.write("all.csv", "id,prediction,reference\n1,2,two\n")
    world.write_lines("x_samples_y.jsonl", {"doc_id": 1, "input": "?", "target": "two", "filtered_resps": ["2"]})


@pytest.mark.parametrize("name", ["all.jsonl", "all.csv", "x_samples_y.jsonl"])
@pytest.mark.parametrize("data", ["{{predictions: {0}}}", "{{predictions: {0}, references: {0}}}"])
def test_file_of_both_sides_is_named_once_or_twice(world: World, name: str, data: str) -> None:
    write_both(world)
    found = loaded(world, data.format(name))
    assert found.dataset.predictions.texts == (("2",),)
    assert found.dataset.references.texts == (("two", "2"),)
    assert found.dataset.references.file == name
    assert [file.role for file in found.files] == ["predictions", "references"][: len(found.files)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.jsonl", '{"id": 1, "text": "two"}\n'),
        ("p.csv", "id,text\n1,two\n"),
        ("p.json", '[{"id": 1, "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "two"}]}]'),
    ],
)
def test_texts_that_would_judge_themselves_are_refused(world: World, name: str, content: str) -> None:
    world.write(name, content)
    with pytest.raises(UnmeasurableError) as caught:
        loaded(world, f"{{predictions: {name}, references: {name}}}")
    assert str(caught.value) == (
        f"{name}: predictions and references have the same content, so the references would judge themselves; "
        "name the model's outputs under predictions"
    )


def test_one_field_of_samples_cannot_be_both_sides(world: World) -> None:
    write_both(world)
    side = "{path: x_samples_y.jsonl, fields: {prediction: target}}"
    with pytest.raises(UnmeasurableError, match="judge themselves"):
        loaded(world, f"{{predictions: {side}, references: {side}}}")


def test_parsed_share_is_of_answers_where_references_are_texts(world: World) -> None:
    world.write_lines(
        "r.jsonl",
        *(
            {
                "id": i,
                "asset": {"type": "Image", "filename": f"{i}.jpg"},
                "contents": {"type": "Vqa", "interactions": [{"order": 1, "question": "?", "answer": "two"}]},
            }
            for i in range(4)
        ),
    )
    replies = ['{"vqa": {"answer": "two"}}', '{"phrase_grounding": {"sentence": "", "groundings": []}}', "two"]
    world.write_lines("p.jsonl", *({"image": f"{i}.jpg", "raw_output": reply} for i, reply in enumerate(replies)))
    found = loaded(world, "{predictions: p.jsonl, references: r.jsonl}")
    assert list(found.dataset.predictions.failures or ()) == [1, 2]
    assert found.dataset.predictions.texts == (("two",), ("",), ("",), ("",))


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("all.jsonl", ("{prediction: prediction}", "{text: prediction}")),
        ("all.jsonl", ("{text: reference}", "{}")),
        ("all.csv", ("{prediction: reference}", "{}")),
        ("x_samples_y.jsonl", ("{prediction: target}", "{}")),
    ],
)
def test_one_field_of_a_file_is_not_both_sides_however_it_is_spelt(
    world: World, name: str, sides: tuple[str, str]
) -> None:
    write_one_text(world)
    ours, theirs = (f"{{path: {name}, fields: {fields}}}" for fields in sides)
    with pytest.raises(UnmeasurableError, match="have the same content, so the references would judge themselves"):
        loaded(world, f"{{predictions: {ours}, references: {theirs}}}")


@pytest.mark.parametrize(
    ("name", "fields", "field"),
    [
        ("all.jsonl", "{prediction: reference}", "reference"),
        ("all.jsonl", "{prediction: prediction, reference: prediction}", "prediction"),
        ("all.csv", "{prediction: reference}", "reference"),
        ("x_samples_y.jsonl", "{prediction: target}", "target"),
    ],
)
def test_one_field_of_a_file_that_is_named_once_is_not_both_sides(
    world: World, name: str, fields: str, field: str
) -> None:
    write_one_text(world)
    with pytest.raises(UnmeasurableError) as caught:
        loaded(world, f"{{predictions: {{path: {name}, fields: {fields}}}}}")
    assert str(caught.value) == (
        f"{name}: predictions and references are both read from '{field}', so the references would judge themselves; "
        "name the field of the model's outputs under 'fields'"
    )


def test_export_of_vi_with_replies_in_it_is_both_sides(world: World) -> None:
    world.write_lines(
        "all.jsonl",
        {
            "id": 1,
            "asset": {"filename": "a.jpg"},
            "contents": {"type": "Vqa", "interactions": [{"question": "?", "answer": "two"}]},
            "raw_output": '{"vqa": {"answer": "2"}}',
        },
    )
    dataset = loaded(world, "{predictions: all.jsonl, references: all.jsonl}").dataset
    assert (dataset.predictions.texts, dataset.references.texts) == ((("2",),), (("two",),))


def test_every_reply_is_parsed_for_what_its_reference_holds(world: World) -> None:
    contents: list[dict[str, object]] = [
        {"type": "Vqa", "interactions": [{"order": 1, "question": "?", "answer": "two"}]},
        {"type": "PhraseGrounding", "caption": "", "groundedPhrases": []},
        {"type": "Freeform", "caption": "a car"},
    ]
    names = [(k, n) for k in range(len(contents)) for n in range(2)]
    world.write_lines(
        "r.jsonl",
        *({"id": f"{k}{n}", "asset": {"filename": f"{k}{n}.jpg"}, "contents": contents[k]} for k, n in names),
    )
    answer = '{"vqa": {"answer": "two"}}'
    boxes = '{"phrase_grounding": {"sentence": "a", "groundings": [{"phrase": "a", "grounding": [[0, 0, 9, 9]]}]}}'
    world.write_lines("p.jsonl", *({"id": f"{k}{n}", "raw_output": (answer, boxes)[n]} for k, n in names))
    found = loaded(world, "{predictions: p.jsonl, references: r.jsonl}").dataset.predictions.failures
    assert list(found or ()) == [1, 2, 5]


@pytest.mark.parametrize("theirs", ["p.jsonl", "copy.jsonl"])
def test_documents_that_would_judge_themselves_are_refused(world: World, theirs: str) -> None:
    for name in ("p.jsonl", "copy.jsonl"):
        world.write_lines(name, {"id": 1, "prediction": {"a": 1}}, {"id": 2, "prediction": {"a": 2}})
    references = f"{{path: {theirs}, format: jsonl, fields: {{reference: prediction}}}}"
    with pytest.raises(UnmeasurableError, match="have the same content, so the references would judge themselves"):
        loaded(world, f"{{predictions: p.jsonl, references: {references}}}")
    with pytest.raises(UnmeasurableError, match="both read from 'prediction', so the references would judge"):
        loaded(world, "{predictions: {path: p.jsonl, fields: {reference: prediction}}}")


def test_documents_of_both_sides_in_one_file(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": '{"a": 1}', "truth": {"a": 2}})
    data = loaded(world, "{predictions: {path: p.jsonl, fields: {reference: truth}}}").dataset
    assert [*data.predictions.documents] == [{"a": 1}]
    assert [*data.references.documents] == [{"a": 2}]
