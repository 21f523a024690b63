"""The answer inside a raw reply, by a declared rule. A reply that holds none is a value, not an exception."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

ReplyRule = Literal["strict", "fenced", "answer-tag", "first-json"]

#: Characters of a reply. No model says as much in one answer; a stuck one, or an attack, says any amount.
LONGEST = 1 << 20
#: Deeper JSON than this is an attack or a stuck decoder, and no answer.
DEPTH = 256

_SPACE = re.compile(r"[ \t\r\n]*+")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_ATOM = re.compile(r"(?:-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null)(?![\w.+-])")
_OPENER = re.compile(r"[{\[]")
_BRACKET = re.compile(r"[{}\[\]]")
_FENCE_WORD = re.compile(r"[\w+.-]*[ \t]*\r?\n|json\b")


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Why a reply holds no answer. It counts against the model and never leaves the denominator."""

    cause: str
    position: int | None = None
    """0-based character of the reply, where one can be named."""


def extract(reply: str, rule: ReplyRule) -> str | ParseFailure:
    """The answer text of a reply, in time linear in its length.

    Args:
        reply: Raw text of the model.
        rule: ``strict`` takes the reply as it is. ``fenced`` takes off one code fence around the whole reply.
            ``answer-tag`` takes what stands in ``<answer>…</answer>``, after removing ``<think>…</think>``.
            ``first-json`` removes thinking, looks into the answer tag and the first fence where there are any,
            and takes the first complete JSON document found there.

    Returns:
        The answer, or why there is none. Whether it parses as what the gate expects is for the caller to see.
    """
    if len(reply) > LONGEST:
        return ParseFailure(f"the reply has {len(reply)} characters; more than {LONGEST} are not read")
    if rule == "strict":
        return reply
    if rule == "fenced":
        return _without_fence(reply)
    text = _without_thinking(reply)
    if isinstance(text, ParseFailure):
        return text
    if rule == "answer-tag":
        return _in_answer_tag(text)
    return _first_json(text)


def _without_fence(reply: str) -> str | ParseFailure:
    text = reply.strip()
    if not text.startswith("```"):
        return reply
    start = len(reply) - len(reply.lstrip())
    if len(text) < 6 or not text.endswith("```"):
        return ParseFailure("the code fence is not closed", start)
    word = _FENCE_WORD.match(text, 3, len(text) - 3)
    return text[word.end() if word else 3 : -3].strip()


def _without_thinking(reply: str) -> str | ParseFailure:
    """The reply with its thinking blanked out, so that positions stay those of the reply."""
    pieces: list[str] = []
    done = 0
    first_end = reply.find("</think>")
    if first_end >= 0 and reply.find("<think>", 0, first_end) < 0:
        # chat templates of reasoning models put the opening tag into the prompt
        done = first_end + len("</think>")
        pieces.append(" " * done)
    while (start := reply.find("<think>", done)) >= 0:
        end = reply.find("</think>", start)
        if end < 0:
            return ParseFailure("the thinking never ends", start)
        end += len("</think>")
        pieces += (reply[done:start], " " * (end - start))
        done = end
    return "".join((*pieces, reply[done:]))


def _in_answer_tag(text: str) -> str | ParseFailure:
    opening = text.find("<answer>")
    if opening < 0:
        return ParseFailure("there is no <answer> tag")
    start = opening + len("<answer>")
    end = text.find("</answer>", start)
    if end < 0:
        return ParseFailure("the <answer> tag is not closed", opening)
    return text[start:end].strip()


def _first_json(text: str) -> str | ParseFailure:
    start, end = 0, len(text)
    if (tag := text.find("<answer>")) >= 0:
        start = tag + len("<answer>")
        closing = text.find("</answer>", start)
        end = closing if closing >= 0 else end
    if (fence := text.find("```", start, end)) >= 0:
        start = fence + 3
        closing = text.find("```", start, end)
        end = closing if closing >= 0 else end
    brackets = Brackets(text, end)
    broken: ParseFailure | None = None
    while opener := _OPENER.search(text, start, end):
        begin = opener.start()
        stop, cause = _scan(text, begin, end)
        if not cause:
            return text[begin:stop]
        failure = ParseFailure(cause, stop if stop < end else begin)
        if stop >= end or cause == _TOO_DEEP:
            return failure  # cut off: an inner piece of a broken document is not the answer
        broken = broken or failure
        start = max(stop, brackets.partner(begin) + 1)
    return broken or ParseFailure("there is no JSON document")


class Brackets:
    """How far the broken documents of a text reach: which bracket closes which, quotes ignored.

    A closing bracket that does not fit the last open one counts for nothing. Asked for openers from left to right,
    each behind the last one's partner, all answers together cost time linear in the text: only the first opener
    that has no partner is followed to the end, and that says which of the others have none.
    """

    def __init__(self, text: str, end: int) -> None:
        self._text = text
        self._end = end
        self._alone: array[int] | None = None

    def partner(self, begin: int) -> int:
        """The bracket that closes the one at `begin`; itself where there is none."""
        alone = self._alone
        if alone is not None and (at := bisect_left(alone, begin)) < len(alone) and alone[at] == begin:
            return begin
        text = self._text
        opened = array("I")
        for bracket in _BRACKET.finditer(text, begin, self._end):
            kind = bracket[0]
            if kind in "{[":
                opened.append(bracket.start())
            elif text[opened[-1]] == ("{" if kind == "}" else "["):
                opened.pop()
                if not opened:
                    return bracket.start()
        self._alone = opened
        return begin


_TOO_DEEP = f"the JSON is nested deeper than {DEPTH} levels"


def _scan(text: str, start: int, end: int) -> tuple[int, str]:
    """Walk the JSON document that opens at `start`: (end of document, "") or (position of the fault, cause)."""
    nesting: list[str] = []
    at = start
    # one of: value, item (a value or the end), member (a key or the end), key, colon, next (a comma or the end)
    due = "value"
    while True:
        at = _whitespace_end(text, at, end)
        if at >= end:
            return end, "the JSON document is cut off"
        char = text[at]
        if char in "{[" and due in ("value", "item"):
            nesting.append("}" if char == "{" else "]")
            if len(nesting) > DEPTH:
                return at, _TOO_DEEP
            due = "member" if char == "{" else "item"
            at += 1
        elif char in "}]" and due in ("item", "member", "next") and nesting[-1] == char:
            nesting.pop()
            at += 1
            if not nesting:
                return at, ""
            due = "next"
        elif char == "," and due == "next":
            due = "key" if nesting[-1] == "}" else "value"
            at += 1
        elif char == ":" and due == "colon":
            due = "value"
            at += 1
        elif char == '"' and due in ("value", "item", "member", "key"):
            at = _token_end(_STRING, text, at, end)
            if at >= end:
                return end, "the JSON document is cut off"
            if text[at] != '"':
                return at, "the JSON is malformed in a string"
            at += 1
            due = "colon" if due in ("member", "key") else "next"
        elif due in ("value", "item") and (atom := _ATOM.match(text, at, end)):
            at = atom.end()
            due = "next"
        else:
            return at, "the JSON is malformed"


def _whitespace_end(text: str, start: int, end: int) -> int:
    return _token_end(_SPACE, text, start, end)


def _token_end(token: re.Pattern[str], text: str, start: int, end: int) -> int:
    found = token.match(text, start, end)
    return found.end() if found else start
