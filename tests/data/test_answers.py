"""Texts of both sides as families get them: answers out of replies, references that are there."""

from __future__ import annotations

import json

import numpy as np
import pytest

from data.world import World, message
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.joining import join
from pytest_vigate.data.replies import LONGEST, ReplyRule


def asked(world: World, *replies: object, rule: ReplyRule = "strict", declared: object = None) -> Dataset:
    """Answers to as many questions, of which each has a reference."""
    world.write_lines("p.jsonl", *({"id": i, "prediction": reply} for i, reply in enumerate(replies)))
    world.write_lines("r.jsonl", *({"id": i, "reference": "two"} for i in range(len(replies))))
    predictions = world.predictions("p.jsonl", replies=rule, **({} if declared is None else {"boxes": declared}))
    return join(predictions, world.references("r.jsonl"))


def failures(dataset: Dataset) -> dict[int, str]:
    return {i: str(failure) for i, failure in (dataset.predictions.failures or {}).items()}


def test_strict_takes_every_reply_as_its_answer(world: World) -> None:
    replies = ("two", "", " <answer>two</answer>\n", "```\ntwo\n```", None)
    dataset = asked(world, *replies)
    assert dataset.predictions.texts == (*((reply or "",) for reply in replies),)
    assert failures(dataset) == {}
    assert dataset.predictions.answered.tolist() == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("rule", "replies", "answers", "causes"),
    [
        (
            "answer-tag",
            ("<think>1, 2</think> <answer> two </answer>", "two", "<answer>two", "<think>hm", "<answer></answer>"),
            ("two", "", "", "", ""),
            {
                1: "there is no <answer> tag",
                2: "the <answer> tag is not closed at character 1",
                3: "the thinking never ends at character 1",
            },
        ),
        (
            "fenced",
            ("```\ntwo\n```", "two", "```\ntwo", None),
            ("two", "two", "", ""),
            {2: "the code fence is not closed at character 1"},
        ),
        (
            "first-json",
            ('Well: {"n": 2}', "two", '{"n": 2'),
            ('{"n": 2}', "", ""),
            {1: "there is no JSON document", 2: "the JSON document is cut off at character 1"},
        ),
    ],
)
def test_declared_rule_takes_the_answer_out(
    world: World, rule: ReplyRule, replies: tuple[str, ...], answers: tuple[str, ...], causes: dict[int, str]
) -> None:
    dataset = asked(world, *replies, rule=rule)
    assert dataset.predictions.texts == tuple((answer,) for answer in answers)
    assert failures(dataset) == causes


def test_reply_that_is_too_long_is_a_failure(world: World) -> None:
    dataset = asked(world, "x" * (LONGEST + 1), "x" * LONGEST)
    assert [len(texts[0]) for texts in dataset.predictions.texts] == [0, LONGEST]
    assert list(failures(dataset)) == [0]


def test_failures_are_those_of_the_sample_and_not_of_the_record(world: World) -> None:
    world.write_lines("p.jsonl", {"id": "b", "prediction": "two"}, {"id": "x", "prediction": "two"})
    world.write_lines("r.jsonl", {"id": "a", "reference": "two"}, {"id": "b", "reference": "two"})
    predictions = world.predictions("p.jsonl", replies="answer-tag")
    dataset = join(predictions, world.references("r.jsonl"), extra="ignore")
    assert failures(dataset) == {1: "there is no <answer> tag"}
    assert dataset.predictions.present.tolist() == [False, True]
    assert dataset.predictions.texts == (("",), ("",))


def test_answers_of_predictions_alone(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": "<answer>two</answer>"}, {"id": 2, "prediction": "red"})
    dataset = join(world.predictions("p.jsonl", replies="answer-tag"), None)
    assert dataset.predictions.texts == (("two",), ("",))
    assert dataset.predictions.failures is None
    assert message(lambda: dataset.references.texts) == (
        ": these records carry no texts; name the field that holds them under 'fields'"
    )


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧‍👦 🇨🇭",
        "e\u0301 n\u0303 \u0301",
        "שלום עולם",
        "\u202e\u2066abc\u2069",
        "\x00\x1b[31m\x7f\u0085",
        "\u3000",
        "两辆车",
        "\ufeffa\ufffe",
    ],
)
def test_text_of_any_script_is_kept_as_it_is(world: World, text: str) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": text})
    world.write_lines("r.jsonl", {"id": 1, "reference": [f"a{text}"]})
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl"))
    assert dataset.predictions.texts == ((text,),)
    assert dataset.references.texts == ((f"a{text}",),)


@pytest.mark.parametrize("half", ["\\ud83d", "\\udc00"])
@pytest.mark.parametrize("tail", ["", " b"])
def test_half_of_a_character_is_read_as_it_is(world: World, half: str, tail: str) -> None:
    text = json.loads(f'"a{half}{tail}"')
    world.write("p.jsonl", f'{{"id": 2, "prediction": "a{half}{tail}"}}\n{{"id": 1, "prediction": "a", "n": 1e3}}\n')
    world.write_lines("r.jsonl", {"id": 1, "reference": "a"}, {"id": 2, "reference": [text]})
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl"))
    assert dataset.predictions.texts == (("a",), (text,))
    assert dataset.references.texts == (("a",), (text,))
    world.write("v.jsonl", f'{{"image": "a", "raw_output": "a{half}{tail}"}}\n')
    assert world.predictions("v.jsonl").replies == (text,)
    world.write("p.json", f'[{{"question_id": 2, "answer": "a{half}{tail}"}}]')
    assert world.predictions("p.json").replies == (text,)
    world.write("c.json", f'[{{"id": 2, "messages": [{{"role": "assistant", "content": "a{half}{tail}"}}]}}]')
    assert world.predictions("c.json").replies == (text,)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '{"id": 1, "prediction": "\\ud83d", "n": NaN}',
            "p.jsonl:1:40: NaN is no JSON number; write null or leave the value out",
        ),
        ('{"id": 1, "prediction": "é\\ud83d", n}', "p.jsonl:1:36: this is not JSON: "),
        ('{"id": 1, "prediction": "\\ud83d", "id": 2}', "p.jsonl:1: the key 'id' is there twice in one object"),
        ('{"id": [1], "raw_output": "\\ud83d"}', "p.jsonl:1: $.id: expected int | str | null, got array"),
    ],
)
def test_line_with_half_of_a_character_is_checked_all_the_same(world: World, line: str, expected: str) -> None:
    world.write("p.jsonl", f"{line}\n")
    name = "vi" if "raw_output" in line else "jsonl"
    assert message(lambda: world.predictions("p.jsonl", format=name)).startswith(expected)


def test_half_of_a_character_in_an_export_is_placed(world: World) -> None:
    interactions = '[{"question": "?", "answer": "\\ud83d!"}]'
    half = "\\ud83d"
    line = f'{{"id": 1, "asset": {{"filename": "a"}}, "contents": {{"type": "Vqa", "interactions": {interactions}}}}}'
    world.write("r.jsonl", f"{line}\n")
    assert message(lambda: world.references("r.jsonl")) == (
        f"r.jsonl:1:{line.index(half) + 1}: this is half of a character; correct it"
    )


@pytest.mark.parametrize("text", ["\u200b", "\ufeff \u2060", "\x00", "\u00ad\u200e", "\ud83d", "\u3000\n"])
def test_text_that_cannot_be_seen_is_no_reference(world: World, text: str) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": "x"})
    world.write_lines("r.jsonl", {"id": 1, "reference": ["x", text]})
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl"))
    assert message(lambda: dataset.references.texts) == (
        "r.jsonl:1: a reference text is empty; write the answer that is due, or drop the record"
    )
    world.write_json("r.json", {"annotations": [{"image_id": 1, "caption": text}]})
    assert message(lambda: world.references("r.json")) == (
        "r.json: annotations[0]: the caption is empty; write it, or drop the annotation"
    )


@pytest.mark.parametrize("text", ["…", "🙂", "\u0301", "\u200b1", "\ue000", "\U000e0fff"])
def test_text_that_can_be_seen_is_a_reference(world: World, text: str) -> None:
    world.write_lines("r.jsonl", {"id": 1, "reference": text})
    world.write_lines("p.jsonl", {"id": 1, "prediction": "x"})
    assert join(world.predictions("p.jsonl"), world.references("r.jsonl")).references.texts == ((text,),)


def test_thinking_in_replies_that_are_taken_as_they_are_is_noted(world: World) -> None:
    replies = ("<think>a</think>two", "a</THINK>two", "two", "◁think▷", None)
    assert asked(world, *replies).predictions.notes == (
        "replies that hold <think>, taken as they are: 3; declare replies: answer-tag",
    )
    assert asked(world, "two", "think").predictions.notes == ()
    assert asked(world, *replies, rule="answer-tag").predictions.notes == ()


def test_many_long_references(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": "word " * 100_000})
    world.write_lines("r.jsonl", {"id": 1, "reference": ["word"] * 50})
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl"))
    assert np.array(dataset.references.texts).shape == (1, 50)
    assert len(dataset.predictions.texts[0][0].split()) == 100_000
