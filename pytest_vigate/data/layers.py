"""How much has to be repaired before a reply is a document: the layers that a rate of parseable replies can hide."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

from pytest_vigate.data.answers import blank
from pytest_vigate.data.replies import LONGEST, ParseFailure, ReplyRule, extract, fences
from pytest_vigate.data.syntaxes import Syntax, parse

Layer = Literal["strict", "fenced", "embedded", "truncated", "empty", "broken"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
#: Syntaxes whose documents say themselves where they end.
_CLOSED = ("json", "xml")


def layer(reply: str | None, syntax: Syntax) -> Layer:
    """The layer of a reply, whatever rule the gate declares; each reply has one.

    ``empty`` says nothing. ``strict`` is a document as it is, ``fenced`` one inside a code fence around the whole
    reply, ``embedded`` one in the midst of something else: prose, thinking, a tag, one of several fences. Of the rest,
    ``truncated`` ends before its document, its fence, its tag or its thinking does, and ``broken`` is all others. The
    first that fits counts, in this order.
    """
    if reply is None or blank(reply):
        return "empty"
    if len(reply) > LONGEST:
        return "broken"
    whole = parse(reply, syntax)
    if not isinstance(whole, ParseFailure):
        return "strict"
    fenced = _found(reply, "fenced", syntax)
    if not isinstance(fenced, ParseFailure):
        return "fenced"
    rules: tuple[ReplyRule, ...] = ("answer-tag", "first-json") if syntax.name == "json" else ("answer-tag",)
    inside = [_found(reply, rule, syntax) for rule in rules]
    pieces = [_parsed(piece, reply, syntax) for piece in _pieces(reply, syntax)]
    if not all(map(_failed, inside)) or sum(not _failed(piece) for piece in pieces) == 1:
        return "embedded"
    failures = [found for found in (whole, fenced, *inside, *pieces) if isinstance(found, ParseFailure)]
    return "truncated" if any(failure.truncated for failure in failures) else "broken"


def _failed(found: object) -> bool:
    return isinstance(found, ParseFailure)


def _found(reply: str, rule: ReplyRule, syntax: Syntax) -> object:
    """The document that a rule finds; one in a fence inside of what it finds is one too."""
    answer = extract(reply, rule)
    if isinstance(answer, ParseFailure) or answer == reply:
        return answer if isinstance(answer, ParseFailure) else ParseFailure("nothing is around the document")
    found = _parsed(answer, reply, syntax)
    if isinstance(found, ParseFailure) and rule == "answer-tag":
        inner = extract(answer, "fenced")
        return inner if isinstance(inner, ParseFailure) else _parsed(inner, reply, syntax)
    return found


def _parsed(piece: str, reply: str, syntax: Syntax) -> object:
    """The document that a piece of a reply is; where something stands behind it, no more of it was to come."""
    found = parse(piece, syntax)
    if isinstance(found, ParseFailure) and found.truncated and not reply.rstrip().endswith(piece.rstrip()):
        return replace(found, truncated=False)
    return found


def _pieces(reply: str, syntax: Syntax) -> list[str]:
    """Where a document may stand in prose: the inside of every code fence, or else what XML's brackets enclose."""
    pieces = []
    for start, end in fences(reply, 0, len(reply)):
        if end < len(reply) or syntax.name in _CLOSED:
            word, _, rest = reply[start:end].partition("\n")
            pieces.append(rest if word.strip().isalnum() or not word.strip() else reply[start:end])
    if not pieces and syntax.name == "xml" and "<" in reply:
        pieces = [reply[reply.find("<") : reply.rfind(">") + 1]]
    return pieces
