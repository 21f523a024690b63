"""XML 1.0 without document types: no entity but the five that XML has, nothing from elsewhere, no expansion.

Read by expat, in one piece. Its limits of amplification and its deferral of unfinished tokens have nothing to do here:
entities need a document type, which expat never sees, and a token is unfinished only where the text ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from pytest_vigate.data.replies import DEPTH, ParseFailure
from pytest_vigate.data.syntaxes import Syntax
from pytest_vigate.data.syntaxes._text import BLANK, MARK, TOO_DEEP, fault

NO_ELEMENT: Final = "no element"
TEXT_BEFORE: Final = "text before the document"
TEXT_AFTER: Final = "text after the document"
SECOND_DOCUMENT: Final = "second document"
UNCLOSED_ELEMENT: Final = "unclosed element"
CUT_OFF: Final = "cut off in markup"
DOCUMENT_TYPE: Final = "document type"
MISPLACED_DECLARATION: Final = "XML declaration not at the start"
MALFORMED_DECLARATION: Final = "malformed XML declaration"
MISMATCHED_TAG: Final = "mismatched tag"
DUPLICATE_ATTRIBUTE: Final = "duplicate attribute"
UNQUOTED_VALUE: Final = "unquoted attribute"
UNDEFINED_ENTITY: Final = "undefined entity"
BAD_REFERENCE: Final = "reference to no character"
AMPERSAND: Final = "ampersand that begins no entity"
LESS_THAN: Final = "less-than sign that begins no tag"
CONTROL_CHARACTER: Final = "control character"
MALFORMED: Final = "malformed markup"

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
#: What may stand before the document type; all that XML allows there.
_BEFORE = re.compile(rf"[{BLANK}]++|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_TYPE = re.compile(r"<!DOCTYPE\b", re.IGNORECASE)
_TAG = re.compile(r"<[^\W\d][^<>]*>")
_AMPERSAND = re.compile(r"&[^&<>;\s]*\Z")

_CODES = expat.errors.codes
_CAUSES = {
    _CODES[expat.errors.XML_ERROR_UNCLOSED_TOKEN]: CUT_OFF,
    _CODES[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION]: CUT_OFF,
    _CODES[expat.errors.XML_ERROR_MISPLACED_XML_PI]: MISPLACED_DECLARATION,
    _CODES[expat.errors.XML_ERROR_XML_DECL]: MALFORMED_DECLARATION,
    _CODES[expat.errors.XML_ERROR_TAG_MISMATCH]: MISMATCHED_TAG,
    _CODES[expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE]: DUPLICATE_ATTRIBUTE,
    _CODES[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: UNDEFINED_ENTITY,
    _CODES[expat.errors.XML_ERROR_BAD_CHAR_REF]: BAD_REFERENCE,
}
_NO_ELEMENTS = _CODES[expat.errors.XML_ERROR_NO_ELEMENTS]
_JUNK = _CODES[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]


class _TooDeepError(Exception):
    """The elements are nested too deep; the argument is the byte of the first one that is."""


@dataclass(slots=True)
class _Element:
    name: str
    start: int
    """Byte where it begins."""
    members: dict[str, object]
    """Attributes, and elements by name."""
    texts: list[str] = field(default_factory=list)
    run: list[str] = field(default_factory=list)
    """Pieces of text since the last tag."""
    parent: bool = False
    """It holds elements."""

    def end_run(self) -> None:
        text = "".join(self.run)
        self.run.clear()
        if text.strip(BLANK) or not self.parent:
            self.texts.append(text)

    def put(self, name: str, content: object) -> None:
        if name not in self.members:
            self.members[name] = content
            return
        before = self.members[name]
        if isinstance(before, list):  # content never is one
            before.append(content)
        else:
            self.members[name] = [before, content]

    def content(self) -> object:
        self.end_run()
        text = "".join(self.texts)
        if not self.members:
            return text
        if text:
            self.members["#text"] = text
        return self.members


class _Reader:
    """What expat reports, put together."""

    def __init__(self) -> None:
        self.opened: list[_Element] = []
        self.document: dict[str, object] = {}
        self.deepest = 0
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.opened) == DEPTH:
            raise _TooDeepError(self.parser.CurrentByteIndex)
        if self.opened:
            parent = self.opened[-1]
            parent.parent = True
            parent.end_run()
        members: dict[str, object] = {f"@{key}": value for key, value in attributes.items()}
        self.opened.append(_Element(name, self.parser.CurrentByteIndex, members))
        self.deepest = max(self.deepest, len(self.opened))

    def _end(self, name: str) -> None:
        content = self.opened.pop().content()
        if self.opened:
            self.opened[-1].put(name, content)
        else:
            self.document[name] = content

    def _text(self, text: str) -> None:
        self.opened[-1].run.append(text)


def parse(text: str, syntax: Syntax) -> object:
    """The element of a text, as ``{name: content}``; or why the text is none.

    The content of an element without attributes and elements is its text, as it is written. Any other is an object:
    attributes as ``@name``, elements by name in the order of their first ones, a list where a name repeats, and the
    text beside them as ``#text``: all of it, joined, without the runs that are white space. Which element a piece of
    such text stands behind is lost. Names are as they are written, prefix and ``xmlns`` included; nothing is resolved.

    Comments and processing instructions say nothing and are left out, CDATA is text. A declaration may name any
    encoding: the text is no longer encoded. A document type is a failure, whatever it says, and so is any entity
    beyond ``&amp;``, ``&lt;``, ``&gt;``, ``&quot;``, ``&apos;`` and numbered characters.

    Args:
        text: Any text.
        syntax: Whether a byte order mark may begin it.

    Returns:
        An object with one member, or a `ParseFailure` whose cause is a constant of this module or one that all
        syntaxes share. It is `truncated` where an element, a tag, a comment or the like is open when the text ends,
        and where it ends before its element began.
    """
    failure = fault(text, syntax)
    if failure is not None:
        return failure
    control = _CONTROL.search(text)
    if control is not None:
        return ParseFailure(CONTROL_CHARACTER, control.start())
    start = int(text.startswith(MARK))
    at = _start_of_content(text, start)
    if _TYPE.match(text, at):
        # here, and not by a handler: expat reads on behind an exception, entities and all
        return ParseFailure(DOCUMENT_TYPE, at)
    if at < len(text) and text[at] != "<":
        return ParseFailure(TEXT_BEFORE if _TAG.search(text, at) else NO_ELEMENT, at)
    body = text[start:]
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)
    except _TooDeepError as error:
        return ParseFailure(TOO_DEEP, start + _place(body, error.args[0]))
    except expat.ExpatError as error:
        return _failure(text, start, error.code, reader)
    if 2 * reader.deepest >= DEPTH and _depth(reader.document) > DEPTH:  # lists and attributes count, too
        return ParseFailure(TOO_DEEP, at)
    return reader.document


def _start_of_content(text: str, at: int) -> int:
    while (found := _BEFORE.match(text, at)) is not None:
        at = found.end()
    return at


def _depth(document: object) -> int:
    depth = 0
    level = [document]
    while level := [value for value in level if isinstance(value, dict | list)]:
        depth += 1
        level = [child for value in level for child in (value.values() if isinstance(value, dict) else value)]
    return depth


def _place(text: str, byte: int) -> int:
    """The character of a byte; expat counts bytes."""
    return byte if text.isascii() else len(text.encode()[:byte].decode())


def _failure(text: str, start: int, code: int, reader: _Reader) -> ParseFailure:
    body = text[start:]
    at = start + _place(body, reader.parser.ErrorByteIndex)
    if code == _NO_ELEMENTS:
        if not reader.opened:
            return ParseFailure(NO_ELEMENT, at, truncated=True)
        return ParseFailure(UNCLOSED_ELEMENT, start + _place(body, reader.opened[-1].start), truncated=True)
    if code == _JUNK or (reader.document and code not in _CAUSES and text[at - 1] in f">{BLANK}"):
        return ParseFailure(SECOND_DOCUMENT if _TAG.match(text, at) else TEXT_AFTER, at)
    if code in _CAUSES:
        return ParseFailure(_CAUSES[code], at, truncated=_CAUSES[code] == CUT_OFF)
    if text.startswith("</", at - 1):
        return ParseFailure(MISMATCHED_TAG, at - 1)
    ampersand = _AMPERSAND.search(text, max(start, at - 64), at)
    if ampersand is not None:
        return ParseFailure(AMPERSAND, ampersand.start())
    before = text[at - 1 : at]
    if before == "<":
        return ParseFailure(LESS_THAN, at - 1)
    return ParseFailure(UNQUOTED_VALUE if before == "=" else MALFORMED, at)
