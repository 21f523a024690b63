"""Files that hold both sides, and sides that are the same file, as a session loads them."""

from __future__ import annotations

import pytest

from data.world import READERS, World
from pytest_vigate.data.presets import builtin
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.evaluation.cache import Loaded, Session
from pytest_vigate.gates.rules import read

PRESETS = {preset.name: preset for preset in builtin()}


def loaded(world: World, data: str) -> Loaded:
    """What a session makes of the data of a gate."""
    text = f"vigate: 1\ndata: {data}\nthresholds: {{coverage.predictions: {{min: 0.5}}}}\n"
    gate, problems = read(world.write("x.gate.yaml", text), file="x.gate.yaml", roots=(world.root,))
    assert gate is not None, problems
    return Session(version="0").load(gate.data, readers=READERS, presets=PRESETS)


def write_both(world: World) -> None:
    world.write_lines("all.jsonl", {"id": 1, "prediction": "2", "reference": ["two", "2"]})
    world.write("all.csv", "id,prediction,reference\n1,2,two\n1,,2\n")
    sample = {"doc_id": 1, "input": "?", "target": "['two', '2']", "filtered_resps": ["2"]}
    world.write_lines("x_samples_y.jsonl", sample)


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
