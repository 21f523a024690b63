"""JSON Schema files, linked: one schema that refers to nothing but itself, and bounds on what checking by it takes.

Schemas come from strangers. What is left of them is what the draft checks, with every ``$ref`` turned into one to a
definition of the linked schema: validators are given nothing to fetch, no address to resolve and no loop to fall into.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from pytest_vigate.data.files import encodable, read_text
from pytest_vigate.data.replies import ParseFailure, quoted
from pytest_vigate.data.syntaxes import JSON, parse
from pytest_vigate.errors import UnmeasurableError, did_you_mean
from pytest_vigate.metrics._schema_costs import (
    BELOW_NAMED,
    BELOW_ONE,
    HERE_MANY,
    HERE_NAMED,
    HERE_ONE,
    PLAIN,
    STACK,
    VISITS,
    Costs,
    Graph,
    Node,
    parts,
)
from pytest_vigate.metrics._schema_faults import classify, of_rust, place_name, wording

#: Levels of a schema file. What recurses over a schema goes no deeper.
NESTED = 100
#: Bytes that one compiled pattern may take.
PATTERN = 10 << 20
#: Notes that verdicts carry, and unknown keywords that are compared with the known ones.
_NOTES, _COMPARED = 5, 100
_LOOKS = re.compile(r"\(\?<?[=!]|\\[1-9k]")
#: What Rust's regular expressions know beyond ECMA-262, or take for something else; and, for the way, all the rest.
_PATTERN_TOKEN = re.compile(
    r"(?P<foreign>\\[Az<>]|\\x\{|\\U|\\[pP][^{]|\\b\{|\(\?(?![:=!<]|[ims]*(?:-[ims]+)?:).?|[*+?][*+])"
    r"|\\.|\[\^?\]?(?P<inside>(?:\\.|[^\]\\])*)\]?|.",
    re.DOTALL,
)
_CLASS_TOKEN = re.compile(r"(?P<foreign>\[:?|&&|~~|--|\\x\{|\\U|\\[pP][^{])|\\.|.", re.DOTALL)

_CLOSING: Final = frozenset({"additionalProperties", "additionalItems", "unevaluatedProperties", "unevaluatedItems"})
_CHECKED: Final = PLAIN | HERE_ONE | HERE_MANY | BELOW_ONE | BELOW_NAMED | HERE_NAMED | {"prefixItems", "$ref"}
_SAID: Final = frozenset(
    {"$schema", "$id", "$anchor", "$comment", "$vocabulary", "$dynamicRef", "$dynamicAnchor", "$recursiveRef"}
    | {"$recursiveAnchor", "$defs", "definitions", "title", "description", "default", "deprecated", "readOnly"}
    | {"writeOnly", "examples", "contentEncoding", "contentMediaType", "contentSchema"}
)
_SINCE_2019: Final = frozenset(
    {"dependentSchemas", "dependentRequired", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties"}
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A version of JSON Schema.

    Args:
        name: As people call it.
        validator: Name of its class in both libraries.
        checks: Keywords that can make a document invalid.
    """

    name: str
    validator: str
    checks: frozenset[str]


#: By `$schema`, without an empty fragment.
DRAFTS: Final[Mapping[str, Draft]] = {
    "https://json-schema.org/draft/2020-12/schema": Draft(
        "2020-12", "Draft202012Validator", _CHECKED - {"additionalItems", "dependencies"}
    ),
    "https://json-schema.org/draft/2019-09/schema": Draft(
        "2019-09", "Draft201909Validator", _CHECKED - {"prefixItems", "dependencies"}
    ),
    "http://json-schema.org/draft-07/schema": Draft(
        "draft 7", "Draft7Validator", _CHECKED - _SINCE_2019 - {"prefixItems"}
    ),
}
DEFAULT: Final = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True, eq=False)
class Linked:
    """A schema that refers to nothing but its own definitions.

    Args:
        schema: What is checked, and nothing else.
        draft: What it is written in.
        file: Its name in messages.
        digest: ``sha256:…`` of all files; empty where there is none.
        notes: What every verdict by it has to say.
        graph: Its parts.
        costs: What checking by it takes.
    """

    schema: Node
    draft: Draft
    file: str
    digest: str
    notes: tuple[str, ...]
    graph: Graph
    costs: Costs


def link(file: Path, roots: Sequence[Path], *, formats: bool) -> Linked:
    """Read a schema file and all that it refers to.

    Args:
        file: Resolved, below a root.
        roots: Resolved folders that files may lie in; none allows those of the schema's own folder.
        formats: Whether ``format`` is checked.

    Raises:
        UnmeasurableError: If a file cannot be read or is no schema of a known draft, a reference leads nowhere, out of
            the roots or to the network, or nothing can be decided by the schema in bounded time.
    """
    files = _Files(file, roots or (file.parent,))
    top = files.read(file)
    linker = _Linker(files, formats=formats)
    schema = linker.link(top, files.bases[id(top)] if isinstance(top, dict) else "", files.shown(file))
    return _finished(schema, files.draft, files.shown(file), linker, files.digest)


def require(names: Sequence[str]) -> Linked:
    """The schema of an object with these keys."""
    schema: Node = {"type": "object", "required": [*names]}
    graph = Graph(schema)
    return Linked(schema, DRAFTS[DEFAULT], "required", "", (), graph, Costs(graph))


def _finished(schema: Node, draft: Draft, name: str, linker: _Linker, digest: str) -> Linked:
    graph = Graph(schema)
    if loop := graph.loop():
        places = [linker.places[part] for part in loop if part in linker.places] or [name]
        way = f", by way of {' and '.join(places[1:3])}" if len(places) > 1 else ""
        raise UnmeasurableError(
            f"{places[0]}: this schema refers to itself without going down into the document{way}, so it decides "
            "nothing; let it refer to itself below properties or items"
        )
    costs = Costs(graph)
    if costs.chain > STACK:
        raise UnmeasurableError(
            f"{name}: {costs.chain} parts of this schema lie inside each other, by way of $ref, and {STACK} can be "
            "followed; refer to what is meant directly"
        )
    if costs.visits > VISITS:
        raise UnmeasurableError(
            f"{name}: the parts of this schema may apply to one place of a document more than {VISITS} times, because "
            "definitions that are referred to several times do the same; refer to each once"
        )
    if graph.accepts_all():
        unchecked = "; formats: true would check its formats" if linker.unchecked else ""
        raise UnmeasurableError(
            f"{name}: this schema accepts every document, so no reply could fail{unchecked}; "
            "state what is due, or gate format.compliance"
        )
    return Linked(schema, draft, name, digest, _few(linker.notes), graph, costs)


class _Files:
    """The files of a schema, and every address in them."""

    def __init__(self, top: Path, roots: Sequence[Path]) -> None:
        self._top = top
        self._roots = roots
        self._sums: dict[str, str] = {}
        self._read: dict[Path, Node] = {}
        self._aliases: dict[str, Path] = {}
        self._kept: list[object] = []
        self._names: dict[str, str] = {}
        self.draft = DRAFTS[DEFAULT]
        #: Schema or part of one, without fragment → by its address.
        self.resources: dict[str, Any] = {}
        self.anchors: dict[tuple[str, str], Any] = {}
        #: Address that references in a part are relative to, by the identity of the part.
        self.bases: dict[int, str] = {}
        #: Addresses that have a dynamic anchor, by its name.
        self.dynamic: dict[str, set[str]] = {}

    def shown(self, path: Path) -> str:
        """A file as its user knows it."""
        for root in self._roots:
            if path.is_relative_to(root):
                return encodable(path.relative_to(root).as_posix())
        return encodable(path.name)

    @property
    def digest(self) -> str:
        """One file has the sum that ``sha256sum`` prints, several have that of such a listing."""
        if len(self._sums) == 1:
            return f"sha256:{next(iter(self._sums.values()))}"
        listing = "".join(f"{checksum}  {name}\n" for name, checksum in sorted(self._sums.items()))
        return f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}"

    def read(self, path: Path) -> Node:
        """The schema in a file.

        Raises:
            UnmeasurableError: If it holds none.
        """
        if path in self._read:
            return self._read[path]
        where = self.shown(path)
        text = read_text(path, where)
        found = parse(text, JSON)
        if isinstance(found, ParseFailure):
            at = found.position or 0
            line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
            raise UnmeasurableError(f"{where}:{line}:{column}: this is no JSON: {found.cause}; correct the schema")
        if not isinstance(found, dict | bool):
            raise UnmeasurableError(f"{where}: a schema is an object, or true or false, found {_kind(found)}")
        if _depth(found) > NESTED:
            raise UnmeasurableError(
                f"{where}: the schema is nested deeper than {NESTED} levels; move parts of it into $defs"
            )
        self._sums[self._relative(path)] = hashlib.sha256(text.encode()).hexdigest()
        self._check_draft(found, where, first=not self._read)
        self._read[path] = found
        validate(found, self.draft, where)
        address = path.as_uri()
        self.resources[address] = found
        self.index(found, address, where)
        base = self.bases.get(id(found), address)
        if base.startswith(("http://", "https://")):
            self._aliases.setdefault(base[: base.rindex("/") + 1], path.parent)
        return found

    def _relative(self, path: Path) -> str:
        """A name that does not depend on where the schemas stand."""
        try:
            return Path(os.path.relpath(path, self._top.parent)).as_posix()
        except ValueError:  # another drive
            return self.shown(path)

    def _check_draft(self, schema: Node, where: str, *, first: bool) -> None:
        stated = schema.get("$schema") if isinstance(schema, dict) else None
        if stated is None:
            return
        draft = DRAFTS.get(stated.removesuffix("#")) if isinstance(stated, str) else None
        if draft is None:
            raise UnmeasurableError(
                f"{where}: $schema is {quoted(str(stated))}, which is not read; "
                f"write one of {', '.join(DRAFTS)}, or none for 2020-12"
            )
        if not first and draft is not self.draft:
            raise UnmeasurableError(
                f"{where}: a schema is written in {draft.name}, and {self.shown(self._top)}, which refers to it, in "
                f"{self.draft.name}; write both in one"
            )
        self.draft = draft

    def index(self, schema: Any, base: str, where: str) -> None:
        """Enter the addresses and anchors of a schema and all its parts."""
        self._kept.append(schema)  # an identity stays one while its owner lives
        stack = [(schema, base)]
        while stack:
            part, base = stack.pop()
            if not isinstance(part, dict):
                continue
            self._check_draft(part, where, first=False)
            stated = part.get("$id")
            if isinstance(stated, str) and not ("$ref" in part and self.draft.name == "draft 7"):
                if stated.startswith("#"):
                    self.anchors[base, stated[1:]] = part
                else:
                    base = urljoin(base, stated).partition("#")[0]
                    if self.resources.setdefault(base, part) is not part:
                        raise UnmeasurableError(f"{where}: two schemas have the $id {quoted(base)}; rename one")
            self.bases[id(part)] = base
            self._names.setdefault(base, where)
            for keyword in ("$anchor", "$dynamicAnchor"):
                if isinstance(name := part.get(keyword), str):
                    self.anchors[base, name] = part
            if isinstance(name := part.get("$dynamicAnchor"), str):
                self.dynamic.setdefault(name, set()).add(base)
            if part.get("$recursiveAnchor") is True:
                self.dynamic.setdefault("", set()).add(base)
            stack += [(inner, base) for _, inner in parts(part, definitions=True)]

    def find(self, reference: str, base: str, where: str) -> tuple[Any, str, str]:
        """What a reference leads to, the address that references in it are relative to, and its place in words.

        Raises:
            UnmeasurableError: If it leads nowhere that may be read.
        """
        uri = f"{base}{reference}" if reference.startswith("#") else urljoin(base, reference)
        address, _, fragment = uri.partition("#")
        if address not in self.resources:
            self.read(self._file(address, reference, where))
        found = self.resources.get(address)
        if found is None:  # a file has several addresses: links, escapes, an $id
            found = self.resources[address] = self.read(self._file(address, reference, where))
        base = self.bases.get(id(found), address)
        name = self._names.get(base, "")
        fragment = unquote(fragment)
        if fragment.startswith("/"):
            names = [token.replace("~1", "/").replace("~0", "~") for token in fragment[1:].split("/")]
            found, base = self._point(found, names, base, f"{where}: $ref is {quoted(reference)}")
            return found, base, _below(f"{name}: $", *names)
        if not fragment:
            return found, base, f"{name}: $"
        if (base, fragment) not in self.anchors:
            raise UnmeasurableError(
                f"{where}: $ref is {quoted(reference)}, and there is no $anchor {quoted(fragment)}; correct it"
            )
        return self.anchors[base, fragment], base, f"{name}: $anchor {quoted(fragment)}"

    def _point(self, found: Any, names: Sequence[str], base: str, where: str) -> tuple[Any, str]:
        for name in names:
            inner: Any = None
            if isinstance(found, dict):
                inner = found.get(name)
            elif isinstance(found, list) and name.isdecimal() and len(name) < 10 and int(name) < len(found):
                inner = found[int(name)]
            if inner is None:
                near = [key for key in found if len(key) <= 2 * len(name)] if isinstance(found, dict) else []
                hint = did_you_mean(name, near) if len(name) < 100 else ""
                raise UnmeasurableError(f"{where}, and there is no {quoted(name)}; {hint or 'correct it'}")
            found = inner
            base = self.bases.get(id(found), base)
        return found, base

    def _file(self, address: str, reference: str, where: str) -> Path:
        from urllib.request import url2pathname  # brings http and ssl with it

        said = f"{where}: $ref is {quoted(reference)}"
        for prefix, folder in self._aliases.items():
            if address.startswith(prefix):
                path = folder / unquote(address[len(prefix) :])
                break
        else:
            parts = urlsplit(address)
            if parts.scheme != "file" or parts.netloc not in ("", "localhost") or parts.query:
                raise UnmeasurableError(
                    f"{said}, and nothing is fetched; put that schema into a file below the root and refer to the file"
                )
            path = Path(url2pathname(parts.path))
        try:
            path = path.resolve()
            outside = not any(path.is_relative_to(root) for root in self._roots)
            missing = not outside and not path.exists()
        except (OSError, RuntimeError, ValueError):
            outside, missing = False, True
        if outside:
            raise UnmeasurableError(
                f"{said}, which leads out of the folders that data may come from; move that file below the root"
            )
        if missing:
            raise UnmeasurableError(f"{said}, and there is no such file; a reference is relative to its own file")
        return path


class _Linker:
    """Turns every reference into one to a definition of the schema that is made."""

    def __init__(self, files: _Files, *, formats: bool) -> None:
        self._files = files
        self._formats = formats
        self._names: dict[int, str] = {}
        self._queue: list[tuple[str, Any, str, str]] = []
        self._patterns: set[str] = set()
        self._unknown: set[str] = set()
        #: A format is stated and not checked.
        self.unchecked = False
        self.notes: dict[str, None] = {}
        #: Where a part of the linked schema was written, by its identity.
        self.places: dict[int, str] = {}

    def link(self, top: Node, base: str, name: str) -> Node:
        """The schema without references outside of itself."""
        schema = self._convert(top, base, f"{name}: $")
        definitions: dict[str, Node] = {}
        while self._queue:
            key, target, base, place = self._queue.pop()
            definitions[key] = self._convert(target, base, place)
        if isinstance(schema, dict) and definitions:
            schema[self._holder] = definitions
        if self.unchecked:
            self.notes["the schema states formats, which are not checked; set formats: true"] = None
        return schema

    @property
    def _holder(self) -> str:
        return "definitions" if self._files.draft.name == "draft 7" else "$defs"

    def _convert(self, part: Any, base: str, place: str) -> Node:
        if isinstance(part, bool):
            return part or {"not": {}}  # of false itself, jsonschema loses the place in the document
        base = self._files.bases.get(id(part), base)
        made: dict[str, Any] = {}
        self.places[id(made)] = place
        draft = self._files.draft
        alone = draft.name == "draft 7" and "$ref" in part
        for keyword, value in part.items():
            if keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
                made["$ref"] = self._refer(keyword, value, base, place)
            elif keyword not in draft.checks:
                self._note_unknown(keyword, place)
            elif alone:
                self._note(f"{place}: {draft.name} reads nothing beside $ref, so {keyword!r} checks nothing there")
            elif keyword in PLAIN:
                self._plain(made, keyword, value, place)
            elif keyword == "patternProperties":
                made[keyword] = {}
                for pattern, inner in value.items():
                    self._check_pattern(pattern, place)
                    made[keyword][pattern] = self._convert(inner, base, _below(place, keyword, pattern))
            elif keyword in BELOW_NAMED or keyword in HERE_NAMED:
                made[keyword] = {
                    name: inner if isinstance(inner, list) else self._convert(inner, base, _below(place, keyword, name))
                    for name, inner in value.items()
                }
            elif isinstance(value, list):
                made[keyword] = [self._convert(inner, base, _below(place, keyword, i)) for i, inner in enumerate(value)]
            elif keyword in _CLOSING and value is False:
                made[keyword] = value
            else:
                made[keyword] = self._convert(value, base, _below(place, keyword))
        return _tidied(made)

    def _refer(self, keyword: str, reference: str, base: str, place: str) -> str:
        target, base, where = self._files.find(reference, base, place)
        if keyword != "$ref":
            name = "" if keyword == "$recursiveRef" else reference.rpartition("#")[2]
            if len(self._files.dynamic.get(name, ())) > 1:
                raise UnmeasurableError(
                    f"{place}: {keyword} is {quoted(reference)}, and several schemas have its anchor, so that what it "
                    "means depends on the way to it; write $ref"
                )
        if not isinstance(target, dict | bool):
            raise UnmeasurableError(
                f"{place}: {keyword} is {quoted(reference)}, which is {_kind(target)} and no schema; correct it"
            )
        key = id(target) if isinstance(target, dict) else int(target)  # no address is 0 or 1
        if key not in self._names:
            if isinstance(target, dict) and id(target) not in self._files.bases:  # below a keyword of the author's own
                validate(target, self._files.draft, where)
                self._files.index(target, base, where)
            self._names[key] = str(len(self._names))
            self._queue.append((self._names[key], target, base, where))
        return f"#/{self._holder}/{self._names[key]}"

    def _plain(self, made: dict[str, Any], keyword: str, value: Any, place: str) -> None:
        if keyword == "format":
            if not self._formats:
                self.unchecked = True
                return
            if not knows_format(value, self._files.draft):
                self._note(f"{place}: the format {quoted(value)} is not known and checks nothing")
                return
        if keyword == "pattern":
            self._check_pattern(value, place)
        made[keyword] = value

    def _check_pattern(self, pattern: str, place: str) -> None:
        if pattern not in self._patterns:
            if why := refused_pattern(pattern):
                raise UnmeasurableError(f"{place}: the pattern {quoted(pattern)} {why}")
            self._patterns.add(pattern)

    def _note_unknown(self, keyword: str, place: str) -> None:
        if keyword in _CHECKED:
            self._note(f"{place}: {keyword!r} is no keyword of {self._files.draft.name} and checks nothing")
        elif (
            keyword not in _SAID
            and keyword not in self._unknown
            and len(self._unknown) < _COMPARED
            and len(keyword) < 40
        ):
            self._unknown.add(keyword)
            if hint := did_you_mean(keyword, sorted(self._files.draft.checks)):
                self._note(f"{place}: {quoted(keyword)} is no keyword of JSON Schema and checks nothing; {hint}")

    def _note(self, note: str) -> None:
        self.notes[note] = None


def validate(schema: Node, draft: Draft, where: str) -> None:
    """Raise where a schema is none of its draft.

    Raises:
        UnmeasurableError: With the keyword that is wrong.
    """
    checker = _metaschema(draft.validator)
    if not checker.is_valid(schema):
        faults = classify(of_rust(checker.iter_errors(schema)))
        first = min(faults.values(), key=lambda fault: len(fault.path))
        raise UnmeasurableError(f"{where}: this is no schema of {draft.name}: {wording(first)}; correct the schema")


@functools.cache
def _metaschema(validator: str) -> Any:
    import jsonschema
    import jsonschema_rs

    return getattr(jsonschema_rs, validator)(getattr(jsonschema, validator).META_SCHEMA, validate_formats=False)


def refused_pattern(pattern: str) -> str:
    """Why a pattern cannot be matched in linear time; empty where it can."""
    import jsonschema_rs

    options = jsonschema_rs.RegexOptions(size_limit=PATTERN)
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=options)
    except ValueError:
        if _LOOKS.search(pattern):
            return (
                "looks around or back (?=, ?!, ?<=, ?<!, \\1), which takes more than linear time; "
                "write it without, or as several patterns under allOf"
            )
        return "is no regular expression of JSON Schema, or one too large to match in linear time; correct it"
    if piece := _foreign(pattern):
        return f"has {quoted(piece)}, which the patterns of JSON Schema (ECMA-262) do not know; write it without"
    return ""


def _foreign(pattern: str) -> str:
    """What of a pattern other libraries would read in another way; empty where there is nothing."""
    for found in _PATTERN_TOKEN.finditer(pattern):
        if found["foreign"]:
            return found["foreign"]
        for inner in _CLASS_TOKEN.finditer(found["inside"] or ""):
            if inner["foreign"]:
                return inner["foreign"]
    return ""


def knows_format(name: str, draft: Draft) -> bool:
    """Whether a format is one that is checked."""
    import jsonschema_rs

    try:
        getattr(jsonschema_rs, draft.validator)({"format": name}, validate_formats=True, ignore_unknown_formats=False)
    except ValueError:
        return False
    return True


def _tidied(part: dict[str, Any]) -> dict[str, Any]:
    """The same schema, without what the libraries trip over."""
    if not isinstance(part.get("items"), list):  # jsonschema 4.26 wants the length of true
        part.pop("additionalItems", None)
    named = part.get("properties")
    if part.get("additionalProperties") is False and (named is None or not named.keys() >= {*part.get("required", ())}):
        # jsonschema-rs 0.60 does not name the extra fields, or names one as missing that is there and not allowed
        part.setdefault("patternProperties", {})
    return part


def _few(notes: Iterable[str]) -> tuple[str, ...]:
    found = [*notes]
    more = (f"and {len(found) - _NOTES} more notes on the schema",) if len(found) > _NOTES else ()
    return (*found[:_NOTES], *more)


def _below(place: str, *names: str | int) -> str:
    return place_name(names, start=place)


def _depth(schema: Any) -> int:
    """Levels of objects and lists; it does not recurse."""
    depth, level = 0, [schema]
    while level := [
        inner
        for part in level
        if isinstance(part, dict | list)
        for inner in (part.values() if isinstance(part, dict) else part)
    ]:
        depth += 1
    return depth


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return "a text" if isinstance(value, str) else "a number"
