"""Where a field stands in a document: ``severity``, ``$.location.x``, ``$.parts[*].name``."""

from __future__ import annotations

import hashlib
import re

#: What stands for all items of a list.
ITEMS = None
#: A step of a path: a key, or `ITEMS`.
Step = str | None
#: Characters of a path of the gate.
LONGEST = 1000
#: Characters of a field's name; longer ones end with a digest: the names of deep leaves would fill the memory.
NAME = 200
_DIGITS = 16

_PLAIN = re.compile(r"[\w-]+")
#: Keys of the whole document that need no ``$`` before them.
_BARE = re.compile(r"[^\s.\[\]$'\"\\](?:[^.\[\]$'\"\\]*[^\s.\[\]$'\"\\])?")
_STEP = re.compile(
    r"\.(?P<plain>[\w-]+)|(?P<items>\[\*\])"
    r"|\[(?:'(?P<single>(?:[^'\\]|\\.)*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\")\]"
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U(00[01][0-9a-fA-F]{5})|(.))")


#: Shared by the fields that have none below them: there may be a million.
_NO_KEYS: dict[str, Field] = {}


class Field:
    """A place in documents, and those below it. One of a kind, so that it may hold what is known of the place."""

    __slots__ = ("above", "asked", "bare", "items", "keys", "listed", "number", "path", "rule")

    def __init__(
        self, path: str, *, number: int, above: Field | None = None, listed: bool = False, bare: str = ""
    ) -> None:
        #: Its way from ``$``.
        self.path = path
        self.above = above
        #: In the order in which fields were first seen.
        self.number = number
        #: It lies in an item of a list.
        self.listed = listed
        #: The key alone, where it is one of the whole document.
        self.bare = bare
        self.keys = _NO_KEYS
        self.items: Field | None = None
        #: Number of its rule; -1 where none is declared.
        self.rule = -1
        #: A reference has it.
        self.asked = False

    @property
    def name(self) -> str:
        """As gates and reports name it."""
        return self.bare or self.path


class Fields:
    """All places that are declared or seen."""

    def __init__(self) -> None:
        self.root = Field("$", number=0)
        self.all: list[Field] = [self.root]

    def key(self, above: Field, key: str) -> Field:
        """The field of a key in an object."""
        found = above.keys.get(key)
        if found is None:
            bare = key if above is self.root and is_bare(key) else ""
            if above.keys is _NO_KEYS:
                above.keys = {}
            found = above.keys[key] = self._made(joined(above.path, key), above, listed=above.listed, bare=bare)
        return found

    def items(self, above: Field) -> Field:
        """The field of the items of a list."""
        if above.items is None:
            above.items = self._made(joined(above.path, ITEMS), above, listed=True)
        return above.items

    def at(self, steps: tuple[Step, ...]) -> Field:
        """The field that a path names."""
        field = self.root
        for step in steps:
            field = self.items(field) if step is ITEMS else self.key(field, step)
        return field

    def _made(self, path: str, above: Field, *, listed: bool, bare: str = "") -> Field:
        field = Field(path, number=len(self.all), above=above, listed=listed, bare=bare)
        self.all.append(field)
        return field


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps of a path as a gate writes it: ``severity`` is short for ``$.severity``.

    Raises:
        ValueError: If it is no path; the text says why, and how to write it.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a path of {len(text)} characters is longer than {LONGEST}")
    if not text.startswith("$"):
        if _BARE.fullmatch(text):
            return (text,)
        hint = f"write {'$' + text if text.startswith('[') else '$.' + text}, or $[{text!r}] for a key of that name"
        raise ValueError(f"{text!r} is no path; {hint if text.strip() else 'write the name of a field'}")
    steps: list[Step] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            example = "$.location.x, $.parts[*].name or $['a key'].x"
            raise ValueError(f"{text!r} is no path from its character {at + 1} on; write it as {example}")
        at = found.end()
        if found["items"]:
            steps.append(ITEMS)
        elif found["plain"] is not None:
            steps.append(found["plain"])
        else:
            quoted = found["double"] if found["single"] is None else found["single"]
            steps.append(_ESCAPE.sub(_unescaped, quoted))
    return tuple(steps)


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    if code and int(code, 16) < 0x110000:
        return chr(int(code, 16))
    return escape[3] or escape[0][1:]


def is_bare(key: str) -> bool:
    """Whether a key of the whole document is named by itself."""
    return len(key) <= NAME and key.isprintable() and _BARE.fullmatch(key) is not None


def path_name(steps: tuple[Step, ...]) -> str:
    """The name of the field that the steps lead to."""
    return Fields().at(steps).name


def joined(path: str, step: Step) -> str:
    """The path with one more step; the same for the same steps only."""
    whole = path + ("[*]" if step is ITEMS else _written(step))
    if len(whole) <= NAME:
        return whole
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{whole[: NAME - 1 - _DIGITS]}…{digest}"


def _written(key: str) -> str:
    if _PLAIN.fullmatch(key):
        return f".{key}"
    return "['" + "".join(_escaped(char) for char in key) + "']"


def _escaped(char: str) -> str:
    if char in "'\\":
        return f"\\{char}"
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
