"""The answer inside a raw reply, by a declared rule. A reply that holds none is a value, not an exception."""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, NamedTuple

ReplyRule = Literal["strict", "fenced", "answer-tag", "first-json"]

#: Characters of a reply. No model says as much in one answer; a stuck one, or an attack, says any amount.
LONGEST = 1 << 20
#: Deeper JSON than this is an attack or a stuck decoder, and no answer.
DEPTH = 256

_SPACE = re.compile(r"[ \t\r\n]*+")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_ATOM = re.compile(r"(?:-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null)(?![\w.+-])")
#: What may stand at the end of a text that is cut off.
_ATOM_PART = re.compile(r"-?[0-9]*+\.?[0-9]*+(?:[eE][+-]?)?|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?")
_ESCAPE_PART = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
_OPENER = re.compile(r"[{\[]")
_BRACKET = re.compile(r"[{}\[\]]")
_FENCE = re.compile(r"`{3,}|~{3,}")
_FENCE_AT_START = re.compile(r"\s*+(?P<mark>`{3,}+|~{3,}+)")
#: What a fence says of its inside: ``json``, ``yml title=parts``.
_FENCE_WORD = re.compile(r"[ \t]*+[\w+.-]*+(?:[ \t]++[\w-]++=\S++)*+[ \t]*+\r?\n|json\b")
_BLANK_LINES = re.compile(r"(?:[ \t]*+\r?\n)*+")
_FENCE_LINE = re.compile(r"^[ \t]*```", re.MULTILINE)
#: Tags around what a model thinks before it answers: Qwen, DeepSeek and GLM; Kimi-VL; others.
_THINKING = re.compile(r"[<◁](?P<closing>/)?(?:think|thinking|reasoning)\s*+[>▷]", re.IGNORECASE)
_ANSWER = re.compile(r"<(?P<closing>/)?answer\s*+>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Why a reply holds no answer. It counts against the model and never leaves the denominator."""

    cause: str
    position: int | None = None
    """0-based character of the reply, where one can be named."""
    rest: str = field(default="", compare=False, repr=False)
    """What is left of a broken answer: something in it may be whole."""
    truncated: bool = False
    """The text ends before what it began."""

    def __str__(self) -> str:
        return self.cause if self.position is None else f"{self.cause} at character {self.position + 1}"


#: What a reply beyond `LONGEST` has in place of an answer.
TOO_LONG = ParseFailure(f"the reply is longer than {LONGEST} characters, which are not read")


def quoted(text: str, *, longest: int = 60) -> str:
    """Text of strangers in quotes, on one line: control characters as escapes, cut where it is long."""
    return repr(text if len(text) <= longest else f"{text[: longest - 1]}…")


def excerpt(text: str, position: int, *, longest: int = 60) -> str:
    """The piece of a strangers' text around a position, on one line, and a caret under it on a second one.

    Args:
        text: The whole text.
        position: 0-based character; the end of the text is one too.
        longest: Characters of the text that are shown at most.
    """
    start = max(0, min(position - longest // 2, len(text) - longest))
    end = min(len(text), start + longest)
    before = ("…" if start else "") + "".join(map(_visible, text[start:position]))
    behind = "".join(map(_visible, text[position:end])) + ("…" if end < len(text) else "")
    at = position
    while start < at < end and not width(text[at]):  # a mark stands on the character before it
        at -= 1
    left = ("…" if start else "") + "".join(map(_visible, text[start:at]))
    return f"{before}{behind}\n{' ' * width(left)}^"


def located(text: str, failure: ParseFailure) -> str:
    """Where a text fails, as `excerpt` shows it; empty where no place can be named."""
    if failure.position is None:
        return ""
    prefix = f"at character {failure.position + 1}: "
    piece, _, caret = excerpt(text, failure.position).partition("\n")
    return f"{prefix}{piece}\n{' ' * len(prefix)}{caret}"


def width(text: str) -> int:
    """Columns of a terminal that a printable text takes: East Asian wide characters and emoji two, marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me") else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _visible(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")


class Answer(NamedTuple):
    """Where the answer of a reply stands."""

    text: str
    """The reply, with what was thought blanked out, so that positions are the reply's."""
    start: int
    end: int

    @property
    def piece(self) -> str:
        """The answer as it stands there, white space that a syntax may count included."""
        return self.text[self.start : self.end]

    @property
    def cut_off(self) -> bool:
        """Whether nothing stands behind it, so that there may have been more of it."""
        return not self.text[self.end :].strip()


def extract(reply: str, rule: ReplyRule) -> str | ParseFailure:
    """The answer text of a reply, in time linear in its length.

    Args:
        reply: Raw text of the model.
        rule: As in `find_answer`.

    Returns:
        The answer, or why there is none. Whether it parses as what the gate expects is for the caller to see.
    """
    found = find_answer(reply, rule)
    if isinstance(found, ParseFailure):
        return found
    return reply if (found.start, found.end) == (0, len(reply)) and found.text is reply else found.piece.strip()


def find_answer(reply: str, rule: ReplyRule) -> Answer | ParseFailure:
    """Where the answer of a reply stands, found in time linear in its length.

    Args:
        reply: Raw text of the model.
        rule: ``strict`` takes the reply as it is. ``fenced`` takes off one code fence around the whole reply.
            ``answer-tag`` takes what stands in ``<answer>…</answer>``, after removing ``<think>…</think>``; where
            something was thought and no tag is there, what is left. ``first-json`` removes thinking, looks into the
            answer tag and the first fence where there are any, and takes the first complete JSON document found
            there. More than one answer, fence or document is a failure.
    """
    if len(reply) > LONGEST:
        return TOO_LONG
    if rule == "strict":
        return Answer(reply, 0, len(reply))
    if rule == "fenced":
        return _without_fence(reply)
    text = _without_thinking(reply)
    if isinstance(text, ParseFailure):
        return text
    if rule == "answer-tag":
        return _in_answer_tag(text, thought=text is not reply)
    return _first_json(text)


def _without_fence(reply: str) -> Answer | ParseFailure:
    start, end, failure = fence(reply)
    if failure is not None:
        return failure
    if (start, end) == (0, len(reply)):
        return Answer(reply, start, end)
    if another := _FENCE_LINE.search(reply, start, end):
        return ParseFailure("there is more than one code fence", another.start())
    if not reply[start:end].strip():
        return ParseFailure("there is nothing in the code fence", _FENCE.search(reply).start())  # type: ignore[union-attr]  # it has one
    return Answer(reply, start, end)


def fence(reply: str) -> tuple[int, int, ParseFailure | None]:
    """Where the text inside a code fence around the whole reply begins and ends, and why it is none.

    A reply without a fence is all text; one whose fence never closes is text from the fence on. Blank lines behind the
    opening fence, and white space before the closing one on its own line, belong to the fences.
    """
    opening = _FENCE_AT_START.match(reply)
    if opening is None:
        return 0, len(reply), None
    start, mark = opening.start("mark"), opening["mark"]
    end = len(reply.rstrip())
    whole = reply.endswith(mark, opening.end(), end)
    end -= len(mark) if whole else 0
    word = _FENCE_WORD.match(reply, opening.end(), end)
    begin = _BLANK_LINES.match(reply, word.end() if word else opening.end(), end).end()  # type: ignore[union-attr]  # it may be empty
    if not whole:
        return begin, end, ParseFailure("the code fence is not closed", start, rest=reply[begin:end], truncated=True)
    line = reply.rfind("\n", begin, end) + 1
    return begin, line if begin < line and reply[line:end].isspace() else end, None


def holds_thinking(reply: str) -> bool:
    """Whether a reply has a tag of thinking, in whatever spelling."""
    return _THINKING.search(reply) is not None


def begins_with_tag(reply: str, *, answer: bool) -> bool:
    """Whether a reply begins with a tag of thinking, or of an answer where that is asked."""
    at = len(reply) - len(reply.lstrip())
    return _THINKING.match(reply, at) is not None or (answer and _ANSWER.match(reply, at) is not None)


def _without_thinking(reply: str) -> str | ParseFailure:
    """The reply with its thinking blanked out, so that positions stay those of the reply.

    Thinking may speak of its tags: it ends with the tag that closes its first one, or else with the last closing one.
    A closing tag without an opening one ends all that stands before it. What was thought ends a line.
    """
    thoughts: list[tuple[int, int]] = []
    start = last = depth = 0
    for tag in _THINKING.finditer(reply):
        if tag["closing"] is None:
            if not depth:
                start, last = tag.start(), 0
            depth += 1
            continue
        last = tag.end()
        if not depth:  # chat templates of reasoning models put the opening tag into the prompt
            thoughts = [(0, last)]
        elif depth == 1:
            thoughts.append((start, last))
        depth = max(0, depth - 1)
    if depth and last:
        thoughts.append((start, last))
        opening = _THINKING.search(reply, last)  # no tag closes behind the last one that does
        start, last = (opening.start(), 0) if opening else (0, last)
    if depth and not last:
        return ParseFailure("the thinking never ends", start, truncated=True)
    if not thoughts:
        return reply
    pieces: list[str] = []
    done = 0
    for begin, end in thoughts:
        pieces += (reply[done:begin], " " * (end - begin - 1), "\n")
        done = end
    return "".join((*pieces, reply[done:]))


def _in_answer_tag(text: str, *, thought: bool) -> Answer | ParseFailure:
    """What stands in the one answer tag.

    Args:
        text: A reply without its thinking.
        thought: There was some: what is left is then the answer, tag or not.
    """
    tags = list(islice(_ANSWER.finditer(text), 3))
    openings = [tag for tag in tags if tag["closing"] is None]
    if not tags:
        if not thought:
            return ParseFailure("there is no <answer> tag")
        return _lines(text, 0, len(text)) or ParseFailure("there is nothing but thinking")
    if len(openings) > 1 or len(tags) - len(openings) > 1:
        return ParseFailure("there is more than one answer", tags[-1].start())
    if not openings or tags[0] is not openings[0]:
        return ParseFailure("the <answer> tag is never opened", tags[0].start())
    if len(tags) < 2:
        rest = text[tags[0].end() :]
        return ParseFailure("the <answer> tag is not closed", tags[0].start(), rest=rest, truncated=True)
    start, end = tags[0].end(), tags[1].start()
    return _lines(text, start, end) or Answer(text, end, end)


def _lines(text: str, start: int, end: int) -> Answer | None:
    """An answer without the blank lines before it; None where nothing else is there."""
    begin = _BLANK_LINES.match(text, start, end).end()  # type: ignore[union-attr]  # it may be empty
    return Answer(text, begin, end) if text[begin:end].strip() else None


def _first_json(text: str) -> Answer | ParseFailure:
    start, end = 0, len(text)
    tags = list(islice(_ANSWER.finditer(text), 3))
    openings = [tag for tag in tags if tag["closing"] is None]
    if len(openings) > 1:
        return ParseFailure("there is more than one answer", openings[1].start())
    if openings:
        start = openings[0].end()
        end = next((tag.start() for tag in tags if tag.start() >= start), end)
    inside = fences(text, start, end)
    found = _first_document(text, *(inside[0] if inside else (start, end)))
    if isinstance(found, ParseFailure):
        return found
    for begin, stop in inside[1:]:
        others = Pieces(text, begin, stop)
        if others.cut_off or any(text[piece.start : piece.end] != found.piece for piece in others):
            return ParseFailure(_SEVERAL, begin, rest=found.piece)
    return found


def fences(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Where the text inside every code fence begins and ends; the last one may not be closed."""
    found: list[tuple[int, int]] = []
    while (opening := text.find("```", start, end)) >= 0:
        closing = text.find("```", opening + 3, end)
        found.append((opening + 3, closing if closing >= 0 else end))
        start = closing + 3 if closing >= 0 else end
    return found


_SEVERAL = "there is more than one JSON document"


#: Broken documents behind which no whole one is looked for: it would be no answer.
_PATIENCE = 1000


def _first_document(text: str, start: int, end: int) -> Answer | ParseFailure:
    """The one JSON document between two positions."""
    brackets = Brackets(text, end)
    broken: tuple[str, int, int] | None = None
    for _ in range(_PATIENCE):
        opener = _OPENER.search(text, start, end)
        if opener is None:
            break
        begin = opener.start()
        stop, cause = _scan(text, begin, end)
        if not cause:
            return _only(text, begin, stop, end)
        fault = (cause, stop if stop < end else begin, begin)
        if stop >= end or cause == _TOO_DEEP:
            broken = fault  # cut off: an inner piece of a broken document is not the answer
            break
        broken = broken or fault
        start = max(stop, brackets.partner(begin) + 1)
    if broken is None:
        return ParseFailure("there is no JSON document")
    cause, position, begin = broken
    truncated = cause == _CUT_OFF and end == len(text)
    return ParseFailure(
        cause, position, rest=text[begin:end], truncated=truncated
    )  # cut once: an attack has as many openers as characters


def _only(text: str, begin: int, stop: int, end: int) -> Answer | ParseFailure:
    """The document of a text that has no other behind it, whole or cut off."""
    document = Answer(text, begin, stop)
    opener = _OPENER.search(text, stop, end)
    if opener is None:
        return document
    others = Pieces(text, opener.start(), end)
    if not others.cut_off and not len(others):
        return document
    return ParseFailure(_SEVERAL, opener.start(), rest=document.piece)


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


_CUT_OFF = "the JSON document is cut off"
#: What may come behind an opening bracket.
_BEHIND = {"{": "member", "[": "item"}
_CLOSERS = {"{": "}", "[": "]"}


def _scan(text: str, start: int, end: int) -> tuple[int, str]:
    """Walk the JSON document that opens at `start`: (end of document, "") or (position of the fault, cause)."""
    nesting: list[str] = []
    at = start
    due = "value"
    while True:
        at = _whitespace_end(text, at, end)
        if at >= end:
            return end, _CUT_OFF
        stop, found = _token(text, at, end, due, nesting[-1] if nesting else "")
        if found in ("{", "["):
            nesting.append(_CLOSERS[found])
            if len(nesting) > DEPTH:
                return at, _TOO_DEEP
            due = _BEHIND[found]
        elif found in ("}", "]"):
            nesting.pop()
            if not nesting:
                return stop, ""
            due = "next"
        elif found in _DUE:
            due = found
        else:
            return stop, found
        at = stop


#: One of: value, item (a value or the end), member (a key or the end), key, colon, next (a comma or the end).
_DUE = frozenset({"value", "item", "member", "key", "colon", "next"})


def _token(text: str, at: int, end: int, due: str, closer: str) -> tuple[int, str]:
    """The token of JSON at a character that is no white space.

    Returns:
        Where it ends, and the bracket that it is, or else what is due behind it; or the position of a fault, and
        its cause.
    """
    char = text[at]
    if char in "{[" and due in ("value", "item"):
        return at + 1, char
    if char in "}]" and due in ("item", "member", "next") and char == closer:
        return at + 1, char
    if char == "," and due == "next":
        return at + 1, "key" if closer == "}" else "value"
    if char == ":" and due == "colon":
        return at + 1, "value"
    if char == '"' and due in ("value", "item", "member", "key"):
        at = _token_end(_STRING, text, at, end)
        if at >= end or _ESCAPE_PART.fullmatch(text, at, end):
            return end, _CUT_OFF
        if text[at] != '"':
            return at, "the JSON is malformed in a string"
        return at + 1, "colon" if due in ("member", "key") else "next"
    if due in ("value", "item") and (atom := _ATOM.match(text, at, end)):
        return atom.end(), "next"
    if due in ("value", "item") and _ATOM_PART.fullmatch(text, at, end):
        return end, _CUT_OFF
    return at, "the JSON is malformed"


class Piece(NamedTuple):
    """A whole JSON object or array in a text that may be broken."""

    start: int
    end: int
    loose: bool
    """It lies inside another one that is broken."""


class Pieces:
    """The largest whole JSON objects and arrays of a text, in their order, however broken the rest is.

    Found in time linear in the text. Behind a fault, brackets are followed and everything else is passed over, quotes
    too; a closing bracket that does not fit the last open one counts for nothing, as in `Brackets`.

    Args:
        text: Any text.
        start: Where to begin.
        end: Where to end.
    """

    failure: ParseFailure | None = None
    """The first fault; text outside of brackets is none."""
    cut_off = False
    """The text ends inside an object or array that had no fault until then."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._starts, self._ends, self._loose = array("I"), array("I"), bytearray()
        self._find(text, start, end)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Piece]:
        for start, end, loose in zip(self._starts, self._ends, self._loose, strict=True):
            yield Piece(start, end, bool(loose))

    def _find(self, text: str, at: int, end: int) -> None:
        opened = array("I")
        closers: list[str] = []
        broken = 0  # this many of the open ones have a fault
        due = ""
        while True:
            if len(closers) == broken:
                bracket = _BRACKET.search(text, at, end)
                if bracket is None:
                    return
                at, found = bracket.end(), bracket[0]
                if found in "}]":
                    if closers and closers[-1] == found:
                        closers.pop()
                        opened.pop()
                        broken -= 1
                    continue
            else:
                at = _whitespace_end(text, at, end)
                stop, found = (end, _CUT_OFF) if at >= end else _token(text, at, end, due, closers[-1])
                at = stop
            if found in ("{", "["):
                opened.append(at - 1)
                closers.append(_CLOSERS[found])
                due = _BEHIND[found]
                if len(closers) > DEPTH:
                    self.failure = ParseFailure(_TOO_DEEP, at - 1)
                    return
            elif found in ("}", "]"):
                closers.pop()
                self._keep(opened.pop(), at, loose=broken > 0)
                due = "next"
            elif found in _DUE:
                due = found
            else:
                self.cut_off = found == _CUT_OFF
                self.failure = self.failure or ParseFailure(found, None if self.cut_off else at)
                if self.cut_off:
                    return
                broken = len(closers)

    def _keep(self, start: int, end: int, *, loose: bool) -> None:
        while self._starts and self._starts[-1] > start:  # what lies inside is part of it
            self._starts.pop()
            self._ends.pop()
            self._loose.pop()
        self._starts.append(start)
        self._ends.append(end)
        self._loose.append(loose)


def _whitespace_end(text: str, start: int, end: int) -> int:
    return _token_end(_SPACE, text, start, end)


def _token_end(token: re.Pattern[str], text: str, start: int, end: int) -> int:
    found = token.match(text, start, end)
    return found.end() if found else start
