"""Texts of both sides as families get them: answers out of replies, references that are there."""

from __future__ import annotations

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
def test_half_of_a_character_names_its_line(world: World, half: str) -> None:
    world.write("p.jsonl", f'{{"id": 1, "prediction": "a"}}\n{{"id": 2, "prediction": "a{half}"}}\n')
    assert message(lambda: world.predictions("p.jsonl")).startswith("p.jsonl:2:")


def test_many_long_references(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": "word " * 100_000})
    world.write_lines("r.jsonl", {"id": 1, "reference": ["word"] * 50})
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl"))
    assert np.array(dataset.references.texts).shape == (1, 50)
    assert len(dataset.predictions.texts[0][0].split()) == 100_000
