"""Layers of replies: each has one, and the first that fits."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.world import steps
from pytest_vigate.data.documents import read_document
from pytest_vigate.data.layers import LAYERS, layer
from pytest_vigate.data.replies import LONGEST, ParseFailure, ReplyRule
from pytest_vigate.data.syntaxes import JSON, Syntax, SyntaxName
from pytest_vigate.data.tables import Source

DOCUMENT = '{"count": 3, "parts": ["a", "b"]}'

CASES: list[tuple[str | None, str]] = [
    (None, "empty"),
    ("", "empty"),
    (" \n\t", "empty"),
    ("\u200b\ufeff", "empty"),  # white space that a person does not see
    (DOCUMENT, "strict"),
    (f"\n  {DOCUMENT}\n", "strict"),
    ("3", "strict"),
    ('"none"', "strict"),
    (f"```json\n{DOCUMENT}\n```", "fenced"),
    (f"```\n{DOCUMENT}\n```\n", "fenced"),
    (f"```json {DOCUMENT}```", "fenced"),
    ("```json\n3\n```", "fenced"),
    (f"Sure!\n```json\n{DOCUMENT}\n```", "embedded"),
    (f"```json\n{DOCUMENT}\n```\nHope this helps.", "embedded"),
    (f"The answer is {DOCUMENT}.", "embedded"),
    (f"<think>hm</think>{DOCUMENT}", "embedded"),
    (f"<answer>{DOCUMENT}</answer>", "embedded"),
    (f"<think>{{</think><answer>```json\n{DOCUMENT}\n```</answer>", "embedded"),
    (f"```json\n{DOCUMENT}\n", "embedded"),  # the document is whole, though its fence is not closed
    (DOCUMENT[:-1], "truncated"),
    (DOCUMENT[:20], "truncated"),
    ("{", "truncated"),
    ('"no', "truncated"),
    (f"```json\n{DOCUMENT[:-4]}", "truncated"),
    (f"Sure: {DOCUMENT[:-4]}", "truncated"),
    ("<think>let me count the parts", "truncated"),
    (f"<answer>{DOCUMENT[:-4]}", "truncated"),
    ('{"outer": {"count": 3}', "truncated"),  # what is whole inside is not the document
    ("There are three parts.", "broken"),
    ('{"count": 3,}', "broken"),
    ("{'count': 3}", "broken"),
    (f"{DOCUMENT}\n{DOCUMENT}", "broken"),  # nothing says which is meant
    (f"```json\n{DOCUMENT}\n```\n```json\n[1]\n```", "broken"),
    (f"```json\n{DOCUMENT[:-4]}\n```", "broken"),  # the fence is closed: nothing more was to come
    ("x" * (LONGEST + 1), "broken"),
    ("[" * 100_000, "broken"),
]


@pytest.mark.parametrize(("reply", "expected"), CASES)
def test_layer_of_a_json_reply(reply: str | None, expected: str) -> None:
    assert layer(reply, JSON) == expected


@pytest.mark.parametrize(
    ("reply", "syntax", "expected"),
    [
        ("count: 3\nparts: [a, b]\n", "yaml", "strict"),
        ("```yaml\ncount: 3\n```", "yaml", "fenced"),
        ("Here you are:\n\n```yaml\ncount: 3\n```\nDone.", "yaml", "embedded"),
        ("```yaml\ncount: 3\n", "yaml", "truncated"),  # nothing but the fence could say that the document is whole
        ("Here is the result:\n```yaml\npart: bolt\ncount: [1, 2", "yaml", "truncated"),
        ("Here:\n```csv\npart,count\na,3", "csv", "truncated"),
        ('Here:\n```\n{"a": 1}\n{"a"', "jsonl", "truncated"),
        ("a: [1 <think>x</think>", "yaml", "truncated"),
        ("<answer>part: bolt</answer>", "yaml", "embedded"),
        ("<think>I see a bolt: one.</think>", "yaml", "broken"),
        ('<think>maybe {"x": 1}</think>\na: 1', "yaml", "embedded"),
        ("There are three parts.", "yaml", "broken"),
        ('count: "3', "yaml", "truncated"),
        ("part,count\na,3\n", "csv", "strict"),
        ("```csv\npart,count\na,3\n```", "csv", "fenced"),
        ("Here:\n```csv\npart,count\na,3\n```", "csv", "embedded"),
        ('part,count\na,"3', "csv", "truncated"),
        ("part,count\na,3,4\n", "csv", "broken"),
        ("<parts><part>a</part></parts>", "xml", "strict"),
        ("```xml\n<parts/>\n```", "xml", "fenced"),
        ("Here: <parts><part>a</part></parts>.", "xml", "embedded"),
        ("<think>hm</think><parts/>", "xml", "embedded"),
        ("<parts><part>a", "xml", "truncated"),
        ("Here: <parts><part>a</part>", "xml", "truncated"),
        ("Here: <r><part>bolt</part><count>1", "xml", "truncated"),
        ("<think>I see a bolt. The answer is hard.</think>", "xml", "broken"),
        ("<think>hm</think>\n<r", "xml", "truncated"),
        ("<parts><part></parts>", "xml", "broken"),
        ("three parts", "xml", "broken"),
        ('{"a": 1}\n{"a": 2}\n', "jsonl", "strict"),
        ('```\n{"a": 1}\n{"a": 2}\n```', "jsonl", "fenced"),
        ('{"a": 1}\n{"a": 2', "jsonl", "truncated"),
        ('{"a": 1}\n{a: 2}\n{"a": 3}', "jsonl", "broken"),
    ],
)
def test_layer_of_other_syntaxes(reply: str, syntax: SyntaxName, expected: str) -> None:
    assert layer(reply, Syntax(syntax)) == expected


PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        ",",
        ":",
        "a",
        "1",
        " ",
        "\n",
        "```",
        "json",
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        DOCUMENT,
        '{"a": 1}',
        "prose",
        "\ud800",
        "\\u12",
        "\x00",
    ]
)


def rules_that_read(reply: str) -> set[str]:
    rules: tuple[ReplyRule, ...] = ("strict", "fenced", "answer-tag", "first-json")
    sources = {rule: Source("predictions", "p.jsonl", (), (), replies=rule) for rule in rules}
    return {rule for rule in rules if not isinstance(read_document(reply, sources[rule]), ParseFailure)}


@settings(deadline=None, max_examples=500)
@given(pieces=st.lists(PIECES, max_size=12))
def test_layers_are_those_of_the_rules(pieces: list[str]) -> None:
    reply = "".join(pieces)
    found = layer(reply, JSON)
    assert found in LAYERS
    reading = rules_that_read(reply)
    assert ("strict" in reading) == (found == "strict")
    if found == "fenced":
        assert "fenced" in reading
    if reading:
        assert found in ("strict", "fenced", "embedded")
    if found in ("empty", "truncated", "broken"):
        assert not reading


@settings(deadline=None, max_examples=200)
@given(cut=st.integers(1, 200), data=st.data())
def test_every_beginning_of_a_document_is_truncated(cut: int, data: st.DataObject) -> None:
    inner = st.lists(st.booleans() | st.integers() | st.text(max_size=4), max_size=4)
    value = data.draw(st.dictionaries(st.text(max_size=3), inner, min_size=1, max_size=3))
    text = json.dumps(value)
    beginning = text[: cut % len(text)]
    assert layer(beginning, JSON) == ("truncated" if beginning else "empty")


@pytest.mark.parametrize(
    ("syntax", "pattern"),
    [
        ("json", "```["),
        ("json", "```{"),
        ("json", "</think>"),
        ("json", "<think>"),
        ("json", "<answer>"),
        ("json", "{"),
        ("json", "[1,"),
        ("xml", "```<a "),
        ("xml", "<a "),
        ("yaml", "```"),
        ("csv", '```"'),
    ],
)
def test_work_grows_no_faster_than_the_reply(syntax: SyntaxName, pattern: str) -> None:
    def lines(count: int) -> int:
        return steps(lambda: layer(pattern * count + " " * count, Syntax(syntax)))

    layer(pattern, Syntax(syntax))  # modules are loaded once
    assert lines(4_000) < 4.5 * lines(1_000) + 1_000
    assert layer(pattern * (LONGEST // len(pattern) // 2) + " " * (LONGEST // 2), Syntax(syntax)) in LAYERS


def test_long_silence_is_silence() -> None:
    assert layer(" " * (100 * LONGEST), JSON) == "empty"
