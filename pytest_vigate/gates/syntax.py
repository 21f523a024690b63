"""Text of a gate file → a small tree of nodes with positions, composed from YAML's event stream.

PyYAML's own composer recurses, resolves YAML 1.1 (``no`` is false, ``1_000`` and ``12:30`` are numbers), keeps the
last of two equal keys and expands merge keys. The language wants none of it, so only the parser is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

from pytest_vigate.errors import Problem
from pytest_vigate.gates.wording import quote, step

#: Largest gate file in bytes.
MAX_BYTES: Final = 1024 * 1024
#: Most nodes (keys and values) after aliases are replaced by what they stand for.
MAX_NODES: Final = 100_000
#: Most characters after aliases are replaced: what is written out in full costs no more than a large file.
MAX_CHARACTERS: Final = 4 * MAX_BYTES
#: Deepest nesting, aliases replaced; the language itself needs 6.
MAX_DEPTH: Final = 32

INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = {
    **dict.fromkeys((".nan", ".NaN", ".NAN"), "nan"),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), "inf"),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), "-inf"),
}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
# YAML 1.2, production 1 (c-printable), less the line breaks that YAML counts and editors do not, and less the
# direction marks with which a file can show a reviewer another text than it holds.
_NOT_PRINTABLE = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u061b\u061d-\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_CLOSED_BY = {"while parsing a flow sequence": ("list", "]"), "while parsing a flow mapping": ("mapping", "}")}
_BLOCKS = {"while parsing a block mapping": "mapping", "while parsing a block collection": "list"}
_PLAIN = (None, "")  # PyYAML's two loaders disagree on the style of plain scalars
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True, eq=False)
class Node:
    """A scalar, a list or a mapping, and where it stands. Aliased nodes share their children."""

    line: int
    column: int
    value: Any
    """The plain value, nested."""
    text: str = ""
    """Source text of a scalar, quotes removed."""
    children: dict[str | int, Node] = field(default_factory=dict)
    """By key or index."""
    keys: dict[str | int, tuple[int, int]] = field(default_factory=dict)
    """Line and column of every key of a mapping."""
    weight: int = 1
    """Nodes from here down, aliases replaced."""
    size: int = 0
    """Characters from here down, aliases replaced."""
    depth: int = 0
    """Levels below, aliases replaced."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a gate file's text holds."""

    root: Node | None
    """None when the text is not one YAML document within the limits."""
    problems: tuple[Problem, ...]


class _StopError(Exception):
    """Nothing sensible can be read beyond this problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def read_bytes(path: Path) -> bytes | Problem:
    """The file's bytes, or why they cannot be had; never holds more than a little above 1 MiB."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return Problem(1, 1, "$", f"the file cannot be read: {error.strerror or error}")
    if len(raw) > MAX_BYTES:
        return Problem(1, 1, "$", "the file is larger than 1 MiB", "a gate file names data, it does not hold it")
    return raw


def compose(raw: bytes) -> Document:
    """Parse the bytes of a gate file; hostile input costs bounded time and memory."""
    composer = _Composer()
    try:
        text = _decode(raw)
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                composer.take(event)
        except yaml.YAMLError as error:
            raise _StopError(_explain(error, text)) from None
        if composer.root is None or (composer.root.value is None and not composer.problems):
            raise _StopError(Problem(1, 1, "$", "the file is empty", "a gate file begins with 'vigate: 1'"))
    except _StopError as stop:
        return Document(None, (*composer.problems, stop.problem))
    return Document(composer.root, tuple(composer.problems))


def _decode(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        start = before.rfind(b"\n") + 1
        column = len(before[start:].decode("utf-8")) + 1
        message = f"the file is not UTF-8: byte 0x{raw[error.start]:02x} belongs to no character"
        raise _StopError(Problem(before.count(b"\n") + 1, column, "$", message, "save it as UTF-8")) from None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if odd := _NOT_PRINTABLE.search(text):
        line, column = text.count("\n", 0, odd.start()) + 1, odd.start() - text.rfind("\n", 0, odd.start())
        message = f"the character U+{ord(odd.group()):04X} must not stand in a gate file"
        raise _StopError(Problem(line, column, "$", message))
    return text


def _explain(error: yaml.YAMLError, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return Problem(1, 1, "$", f"not YAML: {error}".splitlines()[0])
    lines = text.split("\n")
    line, column = mark.line + 1, mark.column + 1
    if line > len(lines):  # libyaml ends the last line where the file does not
        line, column = len(lines), len(lines[-1]) + 1
    found = lines[line - 1][column - 1 : column]
    message, hint, problem = "", "", error.problem or ""
    if found == "\t":
        message, hint = "found a tab where spaces indent", "YAML is indented by spaces only"
    elif "cannot start any token" in problem:
        message, hint = f"no value begins with {quote(found)}", "put the text in quotes"
    elif "quoted scalar" in (error.context or "") and "unexpected end" in problem and error.context_mark:
        line, column = error.context_mark.line + 1, error.context_mark.column + 1
        message, hint = "the quoted text that begins here has no end", "close the quotes"
    elif problem.startswith("mapping values are not allowed"):
        message, hint = "a ':' cannot stand here", "check the indentation, or put the text in quotes"
    elif error.context in _CLOSED_BY and error.context_mark:
        kind, bracket = _CLOSED_BY[error.context]
        message = f"expected ',' or '{bracket}' in the {kind} that begins in line {error.context_mark.line + 1}"
    elif error.context in _BLOCKS and error.context_mark:
        message = (
            f"this does not belong to the {_BLOCKS[error.context]} that begins in line {error.context_mark.line + 1}"
        )
        hint = "check the indentation"
    else:
        place = f" of line {error.context_mark.line + 1}" if error.context_mark else ""
        message = "not YAML: " + (f"{error.context}{place}: " if error.context else "") + problem
    return Problem(line, column, "$", message, hint)


def parse_plain(text: str) -> Any:
    """The value of a plain scalar: a number, true, false, nothing, or else its text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if INTEGER.fullmatch(text) and len(text) < 300:  # int() refuses thousands of digits, float() none
        return int(text)
    if FLOAT.fullmatch(text):
        return float(text)
    return float(_NOT_FINITE[text]) if text in _NOT_FINITE else text


@dataclass(slots=True, eq=False)
class _Frame:
    """A list or mapping that is being filled."""

    node: Node
    mapping: bool
    anchor: str | None
    path: str
    key: str | None = None
    """Key whose value comes next; None when a key is due."""
    drop: bool = False
    """The value that comes next belongs to a refused key."""


class _Composer:
    """Builds the tree with a stack of its own: nesting costs no recursion."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node | None] = {}  # None while the node is being filled
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        mark: Any = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        match event:
            case yaml.ScalarEvent():
                node = Node(line, column, event.value, event.value, size=len(event.value))
                if event.style in _PLAIN:
                    node.value = parse_plain(event.value)
                elif not event.value.isascii() and re.search("[\ud800-\udfff]", event.value):
                    self._report(line, column, "half of a surrogate pair is not a character")
                self._check_tag(event)
                if event.anchor is not None:
                    self._anchors[event.anchor] = node
                self._attach(node)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                mapping = isinstance(event, yaml.MappingStartEvent)
                self._check_tag(event)
                path = self._path()
                if len(self._stack) == MAX_DEPTH:
                    self._stop(line, column, f"nested more than {MAX_DEPTH} levels deep")
                self._stack.append(_Frame(Node(line, column, {} if mapping else []), mapping, event.anchor, path))
                if event.anchor is not None:
                    self._anchors[event.anchor] = None
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                frame = self._stack.pop()
                if frame.anchor is not None:
                    self._anchors[frame.anchor] = frame.node
                self._attach(frame.node)
            case yaml.AliasEvent():
                name = event.anchor or ""
                if name not in self._anchors:
                    self._stop(line, column, f"nothing above is anchored as {quote('&' + name)}")
                target = self._anchors[name]
                if target is None:
                    self._stop(line, column, f"{quote('*' + name)} stands inside of what it names")
                self._attach(replace(target, line=line, column=column))
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._stop(line, column, "a second document begins here", "a gate file holds one document")

    def _attach(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        parent = frame.node
        parent.weight += node.weight
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.weight > MAX_NODES:
            self._stop(node.line, node.column, "the file expands to more than 100 000 nodes")
        if parent.size > MAX_CHARACTERS:
            self._stop(node.line, node.column, "the file expands to more than 4 MiB of text")
        if len(self._stack) + node.depth > MAX_DEPTH:
            self._stop(node.line, node.column, f"nested more than {MAX_DEPTH} levels deep")
        if not frame.mapping:
            parent.children[len(parent.children)] = node
            parent.value.append(node.value)
        elif frame.drop:
            frame.drop, frame.key = False, None
        elif frame.key is None:
            self._open_entry(frame, node)
        else:
            parent.children[frame.key] = node
            parent.value[frame.key] = node.value
            frame.key = None

    def _open_entry(self, frame: _Frame, key: Node) -> None:
        line, column, text = key.line, key.column, key.text
        path = frame.path + step(text)
        if isinstance(key.value, (dict, list)):
            problem = Problem(line, column, frame.path, "a key must be one word, not a list or mapping")
        elif text == "<<":
            problem = Problem(line, column, path, "merge keys are not part of the language", "write the keys out")
        elif text in frame.node.keys:
            first = frame.node.keys[text][0]
            problem = Problem(line, column, path, f"key {quote(text)} is already given in line {first}", "keep one")
        else:
            frame.key = text
            frame.node.keys[text] = (line, column)
            return
        self.problems.append(problem)
        frame.drop = True

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!", 1)
            mark: Any = event.start_mark
            self._report(
                mark.line + 1, mark.column + 1, f"tag {quote(tag)}: tags are not part of the language", "remove the tag"
            )

    def _path(self) -> str:
        if not self._stack:
            return "$"
        frame = self._stack[-1]
        if not frame.mapping:
            return frame.path + step(len(frame.node.children))
        return frame.path if frame.key is None else frame.path + step(frame.key)

    def _report(self, line: int, column: int, message: str, hint: str = "") -> None:
        self.problems.append(Problem(line, column, self._path(), message, hint))

    def _stop(self, line: int, column: int, message: str, hint: str = "") -> NoReturn:
        raise _StopError(Problem(line, column, self._path(), message, hint))
