from __future__ import annotations

import json

import pytest

from data.world import World, message
from pytest_vigate.data.joining import join
from pytest_vigate.data.tables import Role, Table


def turns(*texts: object, first: str = "human", second: str = "gpt") -> list[dict[str, object]]:
    """Questions and answers by turns, as LLaVA writes them."""
    return [{"from": second if i % 2 else first, "value": text} for i, text in enumerate(texts)]


def messages(*texts: object) -> list[dict[str, object]]:
    """The same as OpenAI's clients write them."""
    return [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)]


def accepted(table: Table) -> object:
    assert table.derive_texts is not None
    return table.derive_texts()


@pytest.mark.parametrize("name", ["c.json", "c.jsonl"])
@pytest.mark.parametrize("role", ["predictions", "references"])
def test_answer_of_every_record_is_a_sample(world: World, name: str, role: Role) -> None:
    records = [
        {"id": "q1", "image": "x/a.jpg", "conversations": turns("<image>\nHow many cars?", "Two."), "light": "day"},
        {"id": 2, "image": "x/b.jpg", "conversations": turns("What colour?\n<image>", "Red.")},
    ]
    if name.endswith("l"):
        world.write_lines(name, *records)
    else:
        world.write_json(name, records)
    table = world.predictions(name) if role == "predictions" else world.references(name)
    assert table.source.format == "llava"
    assert table.keys == {
        "id": ("q1", "2"),
        "question": ("x/a.jpg | How many cars?", "x/b.jpg | What colour?"),
        "image": ("x/a.jpg", "x/b.jpg"),
        "stem": ("a", "b"),
    }
    assert table.attribute("question") == ("How many cars?", "What colour?")
    assert table.attribute("light") == ("day", None)
    assert table.places(1) == ("c.jsonl:2" if name.endswith("l") else "c.json: [1]")
    if role == "predictions":
        assert table.replies == ("Two.", "Red.")
        assert table.derive_texts is None
    else:
        assert table.replies is None
        assert accepted(table) == (("Two.",), ("Red.",))


def test_answers_of_several_turns_are_numbered(world: World) -> None:
    world.write_json(
        "r.json",
        [
            {"id": "a", "image": "a.jpg", "conversations": turns("<image>How many?", "Two.", "Which?", "Red ones.")},
            {"id": "b", "image": "b.jpg", "conversations": turns("Why?", "Because.")},
        ],
    )
    table = world.references("r.json")
    assert table.keys["id"] == ("a | 1", "a | 2", "b | 1")
    assert table.keys["image"] == ("a.jpg", "a.jpg", "b.jpg")
    assert table.attribute("question") == ("How many?", "Which?", "Why?")
    assert [table.places(i) for i in range(3)] == [
        "r.json: [0]: conversations[1]",
        "r.json: [0]: conversations[3]",
        "r.json: [1]: conversations[1]",
    ]
    assert accepted(table) == (("Two.",), ("Red ones.",), ("Because.",))
    assert join(world.predictions("r.json"), table).predictions.texts == (("Two.",), ("Red ones.",), ("Because.",))


def test_replies_of_vi_join_by_picture_and_question(world: World) -> None:
    world.write_json(
        "r.json", [{"id": 1, "image": "a.jpg", "conversations": turns("<image>\nHow many?", "Two.", "Why?", "So.")}]
    )
    world.write_lines(
        "p.jsonl",
        {"image": "a.jpg", "prompt": "Why?", "raw_output": '{"vqa": {"answer": "so"}}'},
        {"image": "a.jpg", "prompt": "How many?", "raw_output": '{"vqa": {"answer": "2"}}'},
    )
    dataset = join(world.predictions("p.jsonl"), world.references("r.json"))
    assert dataset.ids == ("a.jpg | How many?", "a.jpg | Why?")
    assert dataset.predictions.texts == (("2",), ("so",))


def test_messages_are_texts_or_parts(world: World) -> None:
    parts = [{"type": "image_url", "image_url": {"url": "a.jpg"}}, {"type": "text", "text": "How many?"}]
    answer = [{"type": "text", "text": "Two"}, {"type": "text", "text": "cars."}]
    world.write_lines(
        "r.jsonl",
        {"id": 1, "messages": [{"role": "system", "content": "Be brief."}, *messages(parts, answer)], "images": ["a"]},
        {"id": 2, "messages": messages("Why?", "Because."), "images": [{"path": "b.jpg", "bytes": None}]},
    )
    table = world.references("r.jsonl")
    assert table.source.format == "llava"
    assert accepted(table) == (("Two\ncars.",), ("Because.",))
    assert table.attribute("question") == ("How many?", "Why?")
    assert table.keys["image"] == ("a", "b.jpg")


def test_parts_that_are_not_said_are_passed_over(world: World) -> None:
    answer = [
        {"type": "reasoning", "text": "yes or no"},
        {"type": "output_text", "text": "two"},
        {"text": "cars"},
        {"type": "refusal", "text": "sorry"},
    ]
    world.write_lines("p.jsonl", {"id": 1, "messages": messages([{"type": "input_text", "text": "How many?"}], answer)})
    table = world.predictions("p.jsonl")
    assert table.replies == ("two\ncars",)
    assert table.attribute("question") == ("How many?",)


def test_other_roles_are_passed_over(world: World) -> None:
    # LLaMA-Factory 0.9.5: tools are asked and answer between question and answer
    spoken = [
        {"from": "system", "value": "Use the tool."},
        {"from": "human", "value": "<image>How many"},
        {"from": "human", "value": "cars?"},
        {"from": "function_call", "value": "{}"},
        {"from": "observation", "value": "2"},
        {"from": "gpt", "value": "Two."},
        {"from": "gpt", "value": "Really."},
    ]
    called = [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "x"},
        {"role": "assistant", "content": "Because."},
    ]
    world.write_lines("r.jsonl", {"id": 1, "conversations": spoken}, {"id": 2, "messages": called})
    table = world.references("r.jsonl")
    assert table.keys == {"id": ("1 | 1", "1 | 2", "2 | 1")}
    assert accepted(table) == (("Two.",), ("Really.",), ("Because.",))
    assert table.attribute("question") == ("How many\ncars?", None, "Why?")


def test_conversation_without_an_answer(world: World) -> None:
    world.write_lines(
        "c.jsonl",
        {"id": 1, "conversations": turns("How many?")},
        {"id": 2, "conversations": turns("Why?", None)},
        {"id": 3, "conversations": turns("Who?", "He.")},
    )
    predictions, references = world.predictions("c.jsonl"), world.references("c.jsonl")
    dataset = join(predictions, references)
    assert dataset.predictions.replies == (None, None, "He.")
    assert dataset.predictions.answered.tolist() == [False, False, True]
    assert message(lambda: dataset.references.texts) == (
        "c.jsonl:1: the record has no reference text; write the answer that is due"
    )


def test_records_without_ids_are_named_by_their_pictures(world: World) -> None:
    world.write_lines(
        "c.jsonl",
        {"image": ["a.jpg"], "conversations": turns("How many?", "Two.")},
        {"id": 2, "image": "b.jpg", "conversations": turns("Why?", "Because.")},
    )
    assert "id" not in world.references("c.jsonl").keys
    assert world.references("c.jsonl").keys["image"] == ("a.jpg", "b.jpg")
    world.write_lines("c.jsonl", {"image": "a.jpg", "conversations": turns("How many?", "Two.", "Why?", "So.")})
    assert world.references("c.jsonl").keys["id"] == ("a.jpg | 1", "a.jpg | 2")


@pytest.mark.parametrize("picture", [{}, {"images": []}, {"images": ["a.jpg", "b.jpg"]}, {"image": None}])
def test_record_without_a_name(world: World, picture: dict[str, object]) -> None:
    world.write_lines(
        "c.jsonl",
        {"image": "a.jpg", "conversations": turns("How many?", "Two.")},
        {**picture, "conversations": turns("Why?", "Because.")},
    )
    assert message(lambda: world.references("c.jsonl")) == (
        "c.jsonl:2: the record has no 'id' that all have, and no one picture that names it; give every record an id"
    )


def test_declared_id(world: World) -> None:
    world.write_json("c.json", [{"meta": {"n": 7}, "set": "x", "conversations": turns("How many?", "Two.")}])
    table = world.references("c.json", fields={"id": ("set", "meta.n")})
    assert table.keys == {"id": ("x | 7",)}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"id": 2, "conversations": [{"from": "gtp", "value": "x"}]},
            "$.conversations[0].from: 'gtp' is no role; did you mean 'gpt'?",
        ),
        (
            {"id": 2, "messages": [{"role": "bot", "content": "x"}]},
            "$.messages[0].role: 'bot' is no role; the roles are assistant, developer, function, function_call, gpt, "
            "human, observation, system, tool, user",
        ),
        ({"id": 2, "conversations": [{"value": "x"}]}, None),
        (
            {"id": 2, "conversations": turns("How many?", 2)},
            "$.conversations[1].value: expected str | null, got int",
        ),
        (
            {"id": 2, "messages": messages("How many?", [{"text": 2}])},
            "$.messages[1].content[0].text: expected str | null, got int",
        ),
        ({"id": 2, "conversations": "x"}, "$.conversations: expected array | null, got str"),
        ({"id": 2}, "the record has neither 'conversations' nor 'messages'; name a file of conversations"),
    ],
)
def test_records_that_cannot_be_read_are_named(world: World, record: dict[str, object], expected: str | None) -> None:
    good = {"id": 1, "conversations": turns("How many?", "Two.")}
    world.write_lines("c.jsonl", good, record)
    found = message(lambda: world.references("c.jsonl"))
    if expected is None:
        assert found.startswith("c.jsonl:2: $.conversations[0].role: '' is no role; the roles are ")
    else:
        assert found == f"c.jsonl:2: {expected}"
    world.write("c.json", json.dumps([good, record]))
    found = message(lambda: world.predictions("c.json"))
    assert found.startswith(("c.json: [1]: ", "c.json: $[1]."))


def test_conversation_that_answers_in_tags(world: World) -> None:
    world.write_json(
        "p.json", [{"id": 1, "conversations": turns("How many?", "<think>1, 2</think><answer>Two.</answer>")}]
    )
    world.write_lines("r.jsonl", {"id": 1, "reference": "two"})
    dataset = join(world.predictions("p.json", replies="answer-tag"), world.references("r.jsonl"))
    assert dataset.predictions.texts == (("Two.",),)
