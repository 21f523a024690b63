from __future__ import annotations

import json
import sys
import tracemalloc
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.world import steps
from pytest_vigate.data import replies as replies_module
from pytest_vigate.data.replies import DEPTH, LONGEST, Brackets, ParseFailure, Pieces, ReplyRule, extract, fence, quoted
from worlds import real_data


def test_strict_takes_the_reply_as_it_is() -> None:
    assert extract(' ```json\n{"a": 1}\n``` ', "strict") == ' ```json\n{"a": 1}\n``` '


@pytest.mark.parametrize(
    "reply",
    [
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}\n```',
        '\n```JSON \r\n{"a": 1}\r\n```\n',
        '```{"a": 1}```',
        '```json {"a": 1}```',
    ],
)
def test_fence_comes_off_with_or_without_a_language(reply: str) -> None:
    assert extract(reply, "fenced") == '{"a": 1}'


def test_reply_without_a_fence_is_taken_as_it_is() -> None:
    assert extract('{"a": "```"}', "fenced") == '{"a": "```"}'


def test_prose_around_a_fence_is_not_taken_off_by_the_fenced_rule() -> None:
    reply = 'Here:\n```json\n{"a": 1}\n```'
    assert extract(reply, "fenced") == reply


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ("```\nyes\n```\nor\n```\nno\n```", ParseFailure("there is more than one code fence", 8)),
        ("```yes\n```", ParseFailure("there is nothing in the code fence", 0)),
        (" ```json```", ParseFailure("there is nothing in the code fence", 1)),
        ("``` ```", ParseFailure("there is nothing in the code fence", 0)),
    ],
)
def test_broken_fences_hold_no_answer(reply: str, failure: ParseFailure) -> None:
    assert extract(reply, "fenced") == failure


def test_backticks_inside_a_line_are_no_fence() -> None:
    assert extract('```json\n{"a": "```"}\n```', "fenced") == '{"a": "```"}'


@pytest.mark.parametrize("reply", [' ```json\n{"a": 1}', " ```", " ``````"])
def test_fence_that_is_not_closed_is_a_failure(reply: str) -> None:
    assert extract(reply, "fenced") == ParseFailure("the code fence is not closed", 1, truncated=True)


def test_answer_tag_is_taken_and_thinking_is_not() -> None:
    reply = "<think>maybe <answer>three</answer></think>So: <answer> two </answer>."
    assert extract(reply, "answer-tag") == "two"


def test_thinking_that_the_chat_template_began_is_removed() -> None:
    assert extract("<answer>no</answer></think><answer>two</answer>", "answer-tag") == "two"


@pytest.mark.parametrize(
    "reply",
    [
        "<think>hm</think>two",
        "hm</think>\n\ntwo\n",
        "<think></think>two",
        "<think>a<think>b</think><answer>no</answer></think><answer>two</answer>",
        "<think>in <think> tags: <answer>no</answer></think><answer>two</answer>",
        "<answer>no</answer></think> still <answer>no</answer></think><answer>two</answer>",
        "<think>a</think><answer>no</answer></think><answer>two</answer>",
        "<think>a</think>b<think>c</think><answer>two</answer>",
        "<answer><think>no</think>two</answer>",
        "<THINK><answer>no</answer></Think><ANSWER>two</Answer>",
        "<think ><answer>no</answer></think ><answer >two</answer >",
        "<thinking><answer>no</answer></thinking><answer>two</answer>",
        "<reasoning><answer>no</answer></reasoning>two",
        "◁think▷<answer>no</answer>◁/think▷<answer>two</answer>",
        "<thinking><think><answer>no</answer></think></thinking><answer>two</answer>",
    ],
)
def test_thinking_is_no_answer_however_it_is_marked(reply: str) -> None:
    assert extract(reply, "answer-tag") == "two"


def test_answer_before_thinking_is_kept() -> None:
    assert extract("<answer>two</answer><think>sure?</think>", "answer-tag") == "two"


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ("two", ParseFailure("there is no <answer> tag")),
        ("two</answer>", ParseFailure("the <answer> tag is never opened", 3)),
        ("</answer>two<answer>", ParseFailure("the <answer> tag is never opened", 0)),
        ("<answer>a</answer> no: <answer>b</answer>", ParseFailure("there is more than one answer", 23)),
        ("In <answer> tags: <answer>two</answer>", ParseFailure("there is more than one answer", 29)),
        ("<answer>two</answer>s</answer>", ParseFailure("there is more than one answer", 21)),
        ("<think>on</think> \n", ParseFailure("there is nothing but thinking")),
        ("<answer>two</answer></think>", ParseFailure("there is nothing but thinking")),
        ("<think>a</think>b<think>on and on", ParseFailure("the thinking never ends", 17, truncated=True)),
        ("<think>a<think>b</think>c<think>on", ParseFailure("the thinking never ends", 25, truncated=True)),
        ("So <answer>two", ParseFailure("the <answer> tag is not closed", 3, truncated=True)),
        ("a<think>on and on", ParseFailure("the thinking never ends", 1, truncated=True)),
    ],
)
def test_reply_without_a_whole_answer_says_why(reply: str, failure: ParseFailure) -> None:
    assert extract(reply, "answer-tag") == failure


@pytest.mark.parametrize(
    ("reply", "document"),
    [
        ('Sure! {"a": [1, 2]} Anything else?', '{"a": [1, 2]}'),
        ('<think>{"no": 0}</think>```json\n{"a": 1}\n```', '{"a": 1}'),
        ('As in [1]:\n```json\n{"a": 1}\n```', '{"a": 1}'),
        ('<answer>{"a": 1}</answer>', '{"a": 1}'),
        ('{"text": "a } in \\" a string"}', '{"text": "a } in \\" a string"}'),
        ('Boxes as [x1, y1, x2, y2]: [{"b": [1, 2, 3, 4]}]', '[{"b": [1, 2, 3, 4]}]'),
        ('An open [ bracket, then {"a": null}', '{"a": null}'),
        ("[]", "[]"),
        (
            '{"n": -1.5e+3, "t": true, "f": false, "u": "\\u00e9"}',
            '{"n": -1.5e+3, "t": true, "f": false, "u": "\\u00e9"}',
        ),
    ],
)
def test_first_json_finds_the_document_in_the_prose(reply: str, document: str) -> None:
    assert extract(reply, "first-json") == document


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ("no boxes here", ParseFailure("there is no JSON document")),
        ('ok {"a": [1, 2], "b"', ParseFailure("the JSON document is cut off", 3, truncated=True)),
        ('{"a": "never closed', ParseFailure("the JSON document is cut off", 0, truncated=True)),
        ("[{'a': [1, 2]}]", ParseFailure("the JSON is malformed", 2)),
        ('{"a": [1, 2,]}', ParseFailure("the JSON is malformed", 12)),
        ('{"a": NaN}', ParseFailure("the JSON is malformed", 6)),
        ('{"a": 01}', ParseFailure("the JSON is malformed", 6)),
        ('{"a": "line\nbreak"}', ParseFailure("the JSON is malformed in a string", 11)),
        ("[" * (DEPTH + 1), ParseFailure(f"the JSON is nested deeper than {DEPTH} levels", DEPTH)),
    ],
)
def test_reply_without_a_whole_document_says_why(reply: str, failure: ParseFailure) -> None:
    assert extract(reply, "first-json") == failure


@pytest.mark.parametrize(
    ("second", "failure"),
    [
        ('{"a": 1}', None),
        ("as shown", None),
        ("{x}", None),
        ('{"a": 2}', ParseFailure("there is more than one JSON document", 20)),
        ('{"a": 1} {"b": 2}', ParseFailure("there is more than one JSON document", 20)),
        ('{"a": ', ParseFailure("there is more than one JSON document", 20)),
    ],
)
def test_documents_of_further_fences_are_the_same(second: str, failure: ParseFailure | None) -> None:
    found = extract(f'```\n{{"a": 1}}\n```\n```{second}```', "first-json")
    assert found == (failure or '{"a": 1}')


def test_first_json_in_one_of_several_answers_is_none() -> None:
    reply = '<answer>{"a": 1}</answer><answer>{"a": 2}</answer>'
    assert extract(reply, "first-json") == ParseFailure("there is more than one answer", 25)


@pytest.mark.parametrize(
    ("tail", "position"),
    [
        ('\n{"b": 2}\n{"b": 3}', 9),
        (' and {"b": ', 13),
        (" [", 9),
        (' {b: [{"c": 1}]}', 9),
        ('``` {"b": 2}', None),
        (" {as you see} [sic", None),
    ],
)
def test_first_json_is_the_only_one(tail: str, position: int | None) -> None:
    found = extract(f'```{{"a": 1}}{tail}', "first-json")
    if position is None:
        assert found == '{"a": 1}'
    else:
        assert found == ParseFailure("there is more than one JSON document", position + 3)
        assert found.rest == '{"a": 1}'


def test_broken_openers_are_cut_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Counted(ParseFailure):
        def __init__(self, cause: str, position: int | None = None, rest: str = "", *, truncated: bool = False) -> None:
            made.append(len(rest))
            super().__init__(cause, position, rest, truncated)

    monkeypatch.setattr(replies_module, "ParseFailure", Counted)
    assert str(extract("{x" * 500, "first-json")) == "the JSON is malformed at character 2"
    assert made == [1000]  # a text of its own for every opener would be 250 500 characters


def test_piece_of_a_broken_document_is_not_the_answer() -> None:
    assert extract('{"a": [1, 2], b: {"c": 1}}', "first-json") == ParseFailure("the JSON is malformed", 14)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
documents = st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3)
prose = st.text(alphabet="ab ,.:!'\"\n", max_size=20)


@given(before=prose, document=documents, after=prose, indent=st.none() | st.integers(0, 2), ascii_only=st.booleans())
def test_any_document_is_found_in_any_prose(
    before: str, document: object, after: str, indent: int | None, ascii_only: bool
) -> None:
    written = json.dumps(document, indent=indent, ensure_ascii=ascii_only).replace("```", "'''").replace("<", "(")
    assert extract(before + written + after, "first-json") == written


@given(
    reply=st.text(alphabet='{}[]",:\\`<think>/answer 1e-.\n'),
    rule=st.sampled_from(["fenced", "answer-tag", "first-json"]),
)
def test_what_first_json_finds_is_json_and_no_text_breaks_a_rule(reply: str, rule: ReplyRule) -> None:
    found = extract(reply, rule)
    if rule == "first-json" and isinstance(found, str):
        json.loads(found)
    if isinstance(found, ParseFailure) and found.position is not None:
        assert 0 <= found.position <= len(reply)


HOSTILE = [
    "[",
    "{",
    "[x",
    '{"a',
    '{"a":[',
    "{x}",
    "<think>",
    "</think>",
    "<answer>",
    "```",
    '"',
    "\\",
    "]",
    "[[]",
    "[1,",
    '{"',
    "1",
]


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("rule", ["fenced", "answer-tag", "first-json"])
def test_work_grows_no_faster_than_the_reply(unit: str, rule: ReplyRule) -> None:
    short, long = (steps(partial(extract, unit * (length // len(unit)), rule)) for length in (1_000, 16_000))
    # 16 times the text: 16 times the lines executed if linear, 256 times if quadratic
    assert long <= 17 * short + 1_000


def test_depth_is_no_matter_of_the_interpreter_stack() -> None:
    before = sys.getrecursionlimit()
    document = "[" * DEPTH + "]" * DEPTH
    assert extract(document, "first-json") == document
    assert sys.getrecursionlimit() == before


@pytest.mark.real_data
def test_published_qwen_replies_split_into_valid_and_malformed() -> None:
    replies = json.loads((real_data("qwen3vl-real-outputs") / "responses.json").read_text())
    fenced = [reply for reply in replies if reply["fenced"]]
    assert fenced
    for reply in fenced:
        body = extract(reply["response"], "fenced")
        assert isinstance(body, str)
        try:
            json.loads(body)
            outcome = "valid"
        except json.JSONDecodeError:
            outcome = "invalid"
        assert reply["strict_json_of_fenced_body"].startswith(outcome)


@pytest.mark.parametrize("rule", ["strict", "fenced", "answer-tag", "first-json"])
def test_reply_that_is_too_long_is_not_searched(rule: ReplyRule) -> None:
    assert extract("x" * (LONGEST + 1), rule) == ParseFailure(
        f"the reply is longer than {LONGEST} characters, which are not read"
    )
    assert extract("x" * LONGEST, "strict") == "x" * LONGEST


@pytest.mark.parametrize("unit", ["[x]", "[x", "{[}", "<think></think>", "[[]x"])
def test_memory_grows_little_with_hostile_replies(unit: str) -> None:
    reply = unit * (LONGEST // len(unit) // 8)
    tracemalloc.start()
    extract(reply, "first-json")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(reply)


@given(text=st.text(alphabet="{}[]x", max_size=40))
def test_broken_documents_reach_as_far_as_their_brackets(text: str) -> None:
    reach = Brackets(text, len(text))
    for begin, char in enumerate(text):
        if char in "{[":
            assert reach.partner(begin) == partners(text).get(begin, begin)


def partners(text: str) -> dict[int, int]:
    """Opening bracket → its closing one: a closing bracket that does not match the last open one counts for nothing."""
    opened: list[int] = []
    found: dict[int, int] = {}
    for at, char in enumerate(text):
        if char in "{[":
            opened.append(at)
        elif char in "}]" and opened and text[opened[-1]] == {"}": "{", "]": "["}[char]:
            found[opened.pop()] = at
    return found


def pieces(text: str) -> tuple[list[str], list[bool], ParseFailure | None]:
    """The pieces of a text, which of them lie inside something broken, and the first fault."""
    found = Pieces(text, 0, len(text))
    return [text[piece.start : piece.end] for piece in found], [piece.loose for piece in found], found.failure


MALFORMED = "the JSON is malformed"


@pytest.mark.parametrize(
    ("text", "whole", "loose", "failure"),
    [
        ('{"a": [1, {}]}', ['{"a": [1, {}]}'], [False], None),
        ("prose [1] and {} more", ["[1]", "{}"], [False, False], None),
        ("", [], [], None),
        ('[{"a": 1}, {"b"', ['{"a": 1}'], [False], ParseFailure("the JSON document is cut off")),
        ('[{"a": 1}, {"b": "x', ['{"a": 1}'], [False], ParseFailure("the JSON document is cut off")),
        # a doubled brace breaks what it opens, and what holds it
        ('[{"a": 1}, {{"b": 2}, {"c": 3}]', ['{"a": 1}', '{"b": 2}', '{"c": 3}'], [False, True, True], (12, MALFORMED)),
        ("[{'a': 1}, {\"b\": 2}]", ['{"b": 2}'], [True], (2, MALFORMED)),
        ('[{"a": NaN}, {"b": 2}]', ['{"b": 2}'], [True], (7, MALFORMED)),
        ('{"a": "b" c", "d": [1]}', ["[1]"], [True], (10, MALFORMED)),
        ('{"a": [1, 2}, {"b": 2}', ['{"b": 2}'], [True], (11, MALFORMED)),
        ('{"a": "x\ny", "b": {}} {}', ["{}", "{}"], [True, False], (8, "the JSON is malformed in a string")),
        ("} ] {}", ["{}"], [False], None),
        ("[ANSWER] {}", ["{}"], [False], (1, MALFORMED)),
        ("[" * (DEPTH + 1), [], [], (DEPTH, f"the JSON is nested deeper than {DEPTH} levels")),
        ("{} " + "[" * 100_000, ["{}"], [False], (DEPTH + 3, f"the JSON is nested deeper than {DEPTH} levels")),
    ],
)
def test_pieces_of_a_broken_text(
    text: str, whole: list[str], loose: list[bool], failure: ParseFailure | tuple[int, str] | None
) -> None:
    expected = ParseFailure(failure[1], failure[0]) if isinstance(failure, tuple) else failure
    assert pieces(text) == (whole, loose, expected)


@given(document=documents, before=prose, after=prose)
def test_whole_document_is_one_piece(document: object, before: str, after: str) -> None:
    text = json.dumps(document)
    assert pieces(before + text + after) == ([text], [False], None)


@given(document=documents, data=st.data())
def test_cut_document_gives_pieces_of_its_own(document: object, data: st.DataObject) -> None:
    text = json.dumps(document)
    whole, _, failure = pieces(text[: data.draw(st.integers(1, len(text) - 1))])
    assert failure == ParseFailure("the JSON document is cut off")
    for piece in whole:
        assert piece in text
        json.loads(piece)


@given(text=st.text(alphabet='{}[]",:\\1a \n'))
def test_pieces_are_json_and_lie_apart(text: str) -> None:
    found = Pieces(text, 0, len(text))
    assert len(found) == len(list(found))
    end = 0
    for piece in found:
        assert piece.start >= end
        end = piece.end
        json.loads(text[piece.start : end])


@pytest.mark.parametrize(
    ("reply", "inner", "failure"),
    [
        ("plain", "plain", None),
        (" ```json\n {} \n``` ", " {} \n", None),
        ("```yaml\n\n  a: 1\n\n  b: 2\n  ```", "  a: 1\n\n  b: 2\n", None),
        ("``` json title=x\n{}\n```", "{}\n", None),
        ("~~~~\n```\n~~~~", "```\n", None),
        ("```{}```", "{}", None),
        ("``````", "", ParseFailure("the code fence is not closed", 0, truncated=True)),  # of six marks
        ("``` ```", " ", None),
        (" ```json\n {}", " {}", ParseFailure("the code fence is not closed", 1, truncated=True)),
    ],
)
def test_fence_says_where_its_text_is(reply: str, inner: str, failure: ParseFailure | None) -> None:
    start, end, found = fence(reply)
    assert reply[start:end] == inner
    assert found == failure


@pytest.mark.parametrize(
    ("reply", "rule", "rest"),
    [
        ('```json\n{"a": 1', "fenced", '{"a": 1'),
        ("So <answer>two", "answer-tag", "two"),
        ('ok {"a": [1, 2], "b"', "first-json", '{"a": [1, 2], "b"'),
        ("a<think>on and on", "answer-tag", ""),
    ],
)
def test_broken_answer_keeps_what_is_left_of_it(reply: str, rule: ReplyRule, rest: str) -> None:
    found = extract(reply, rule)
    assert isinstance(found, ParseFailure)
    assert found.rest == rest


def test_failure_shows_its_character() -> None:
    assert str(ParseFailure("the JSON is malformed", 0)) == "the JSON is malformed at character 1"
    assert str(ParseFailure("there is no box in the reply")) == "there is no box in the reply"


def test_quoted_text_is_one_short_line() -> None:
    assert quoted("a\x1b[31m\n\ud800\u202e") == "'a\\x1b[31m\\n\\ud800\\u202e'"
    assert quoted("x" * 61, longest=60) == f"'{'x' * 59}…'"
    assert quoted("x" * 60, longest=60) == f"'{'x' * 60}'"


@pytest.mark.parametrize(
    "piece",
    [
        "<think>",
        "</think>",
        "<think></think>",
        "<think><think></think>",
        "<answer>",
        "</answer>",
        "```",
        "```{}```",
        "<",
    ],
)
@pytest.mark.parametrize("rule", ["answer-tag", "first-json", "fenced"])
def test_time_is_linear_in_tags_and_fences(piece: str, rule: ReplyRule) -> None:
    few, many = (steps(partial(extract, piece * count, rule)) for count in (100, 400))
    assert many < 5 * few
