from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.rfc8259 import CUT_OFF, INVALID, OURS, VALID
from data.world import steps
from pytest_vigate.data.replies import DEPTH, ParseFailure, excerpt
from pytest_vigate.data.syntaxes import JSON, Syntax
from pytest_vigate.data.syntaxes import json as module
from pytest_vigate.data.syntaxes._text import DIGITS
from pytest_vigate.data.syntaxes.json import parse, scan

#: Python prints and reads no longer integers unless it is told to; neither do the oracles.
LONGEST_OF_PYTHON = 4300


def same(one: object, other: object) -> bool:
    """Equal in types, in signs of zero and in the order of keys too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return [*one] == [*other] and all(map(same, one.values(), other.values()))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    return one == other


def named(text: str) -> str:
    return ascii(text if len(text) <= 30 else f"{text[:28]}({len(text)})")


def read_strictly(text: str) -> object:
    """What Python's own json makes of a text, held to our rules from the outside; ValueError where it is none."""

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key twice")
        return dict(pairs)

    def constant(word: str) -> object:
        raise ValueError(word)

    def number(piece: str) -> float:
        if math.isinf(value := float(piece)):
            raise ValueError("infinite")
        return value

    value: object = json.loads(text, object_pairs_hook=members, parse_constant=constant, parse_float=number)
    json.dumps(value, ensure_ascii=False).encode()  # no half of a character; UnicodeEncodeError is a ValueError
    return value


def test_table_is_large_enough_and_says_nothing_twice() -> None:
    texts = [case[0] for case in (*VALID, *INVALID, *CUT_OFF, *OURS)]
    assert len(texts) >= 400
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("read", [parse, scan])
@pytest.mark.parametrize(("text", "value"), VALID, ids=[named(text) for text, _ in VALID])
def test_what_the_rfc_allows_has_its_value(text: str, value: object, read: Callable[[str, Syntax], object]) -> None:
    found = read(text, JSON)
    assert not isinstance(found, ParseFailure), str(found)
    assert same(found, value)


@pytest.mark.parametrize("read", [parse, scan])
@pytest.mark.parametrize(
    ("text", "cause", "position"), [*INVALID, *OURS], ids=[named(case[0]) for case in (*INVALID, *OURS)]
)
def test_what_is_wrong_is_named_where_it_is(
    text: str, cause: str, position: int | None, read: Callable[[str, Syntax], object]
) -> None:
    assert read(text, JSON) == ParseFailure(cause, position)


@pytest.mark.parametrize(("text", "cause", "position"), CUT_OFF, ids=[named(text) for text, _, _ in CUT_OFF])
def test_text_that_ends_too_early_is_truncated(text: str, cause: str, position: int) -> None:
    assert parse(text, JSON) == ParseFailure(cause, position, truncated=True)


def test_python_and_msgspec_agree_with_the_table() -> None:
    # CPython's json and msgspec 0.22.0; msgspec 0.18.6 and 0.19.0 gave the same verdicts
    for text, value in VALID:
        if len(text) < LONGEST_OF_PYTHON:
            assert same(read_strictly(text), value), text
            assert same(msgspec.json.decode(text), value), text
    for text, _, _ in (*INVALID, *CUT_OFF):
        with pytest.raises(ValueError):  # noqa: PT011 (the messages are theirs)
            read_strictly(text)
        with pytest.raises((msgspec.DecodeError, UnicodeEncodeError)):
            msgspec.json.decode(text)


def test_every_cause_is_in_the_table_and_every_cause_of_the_table_is_declared() -> None:
    no_causes = {"MARK", "BLANK"}
    declared = [
        value
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str) and name not in no_causes
    ]
    assert len(set(declared)) == len(declared)
    assert set(declared) == {case[1] for case in (*INVALID, *CUT_OFF, *OURS)}


def test_causes_read_as_a_sentence() -> None:
    assert str(parse('{"a": 1,}', JSON)) == "trailing comma at character 8"
    assert str(parse("", JSON)) == "empty text"


def test_caret_stands_under_the_fault() -> None:
    text = '{"defect": "scratch", "defect": "dent"}'
    failure = parse(text, JSON)
    assert isinstance(failure, ParseFailure)
    assert failure.position is not None
    assert excerpt(text, failure.position) == (
        '{"defect": "scratch", "defect": "dent"}\n'
        "                      ^"
    )  # fmt: skip


# What a gate lets pass


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":1,"a":2}', {"a": 2}),
        (r'{"a":1,"b":2,"\u0061":3}', {"a": 3, "b": 2}),
        ('{"a":[1,2],"a":{"b":1,"b":[]}}', {"a": {"b": []}}),
    ],
)
@pytest.mark.parametrize("read", [parse, scan])
def test_last_of_duplicate_keys_counts_where_they_are_allowed(
    text: str, value: object, read: Callable[[str, Syntax], object]
) -> None:
    assert same(read(text, Syntax(duplicate_keys=True)), value)


def test_nan_is_a_number_where_it_is_allowed() -> None:
    found = parse("[NaN,Infinity , -Infinity,1]", Syntax(nan=True))
    assert same(found, [math.nan, math.inf, -math.inf, 1])
    assert same(parse("NaN", Syntax(nan=True)), math.nan)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("[nan]", ParseFailure("NaN literal", 1)),
        ("[-NaN]", ParseFailure("NaN literal", 1)),
        ("[+Infinity]", ParseFailure("NaN literal", 1)),
        ("{NaN:1}", ParseFailure("unquoted key", 1)),
        ("[1e400]", ParseFailure("number out of range", 1)),
        ("[Na", ParseFailure("cut off in a value", 1, truncated=True)),
        ("[-Infin", ParseFailure("cut off in a value", 1, truncated=True)),
        ("[NaN", ParseFailure("unclosed bracket", 0, truncated=True)),
    ],
)
def test_allowed_nan_is_written_as_python_writes_it(text: str, failure: ParseFailure) -> None:
    assert parse(text, Syntax(nan=True)) == failure


def test_half_a_character_passes_as_an_escape_where_it_is_allowed() -> None:
    allowed = Syntax(surrogates=True)
    assert parse(r'{"\ud800":"\udc00\ud83d\ude00"}', allowed) == {"\ud800": "\udc00😀"}
    assert parse('"\udc80"', allowed) == ParseFailure("invalid UTF-8", 1)
    assert parse(r'"\ud800', allowed) == ParseFailure("unclosed string", 0, truncated=True)
    assert parse(r'"\ud800\x"', allowed) == ParseFailure("bad escape", 7)


def test_byte_order_mark_passes_once_at_the_beginning_where_it_is_allowed() -> None:
    allowed = Syntax(byte_order_mark=True)
    assert parse('\ufeff{"a":1}', allowed) == {"a": 1}
    assert parse('\ufeff{"a":1,"a":1}', allowed) == ParseFailure("duplicate key", 8)
    assert parse("\ufeff", allowed) == ParseFailure("empty text")
    assert parse("\ufeff\ufeff1", allowed) == ParseFailure("white space that JSON does not know", 1)
    assert parse(" \ufeff1", allowed) == ParseFailure("white space that JSON does not know", 1)


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        ('{"a":1,"a":2}', Syntax(nan=True, surrogates=True, byte_order_mark=True)),
        ("[NaN]", Syntax(duplicate_keys=True, surrogates=True, byte_order_mark=True)),
        (r'"\ud800"', Syntax(duplicate_keys=True, nan=True, byte_order_mark=True)),
        ("\ufeff1", Syntax(duplicate_keys=True, nan=True, surrogates=True)),
    ],
)
def test_each_permission_is_only_its_own(text: str, syntax: Syntax) -> None:
    assert isinstance(parse(text, syntax), ParseFailure)


# Limits that are ours


def depth(value: object) -> int:
    levels = 0
    while isinstance(value, list):
        levels += 1
        value = value[0] if value else None
    return levels


@pytest.mark.parametrize("frames", [0, 800])
def test_deepest_document_is_read_however_deep_the_caller_is(frames: int) -> None:
    def call(more: int) -> object:
        return call(more - 1) if more else parse("[" * DEPTH + "]" * DEPTH, JSON)

    assert depth(call(frames)) == DEPTH


def test_deep_caller_is_told_of_every_fault_too() -> None:
    def call(more: int) -> object:
        return call(more - 1) if more else parse("[" * 255 + '{"a":1,"a":1}' + "]" * 255, JSON)

    assert call(800) == ParseFailure("duplicate key", 262)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":[0,', '["\\\\","\\"]",'])
def test_a_hundred_thousand_levels_are_a_failure(opening: str) -> None:
    failure = parse(opening * 100_000, JSON)
    assert isinstance(failure, ParseFailure)
    assert failure.cause == "nested deeper than 256 levels"
    # it stops where it is too deep: some ten lines a token, at most seven tokens a level, 257 levels
    assert steps(lambda: parse(opening * 100_000, JSON)) < 50_000


def test_depth_does_not_hang_on_the_limit_of_python() -> None:
    # With a limit as high, the decoder would use up the stack of the process, which no exception survives.
    program = (
        "import sys; sys.setrecursionlimit(10**8)\n"
        "from pytest_vigate.data.syntaxes import JSON, parse\n"
        "for text in ('[' * 10**6, '{\"a\":' * 10**6, '[\"]\\\\\"]\",' * 10**6, '[[],' * 10**6):\n"
        "    print(parse(text, JSON))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        # 256 openings stand before the one too many; the last text has its brackets by twos
        [f"nested deeper than 256 levels at character {1 + at}" for at in (256, 256 * 5, 256 * 8, 255 * 4 + 1)],
    ), done.stderr


@given(
    st.lists(st.sampled_from(['"]"', '"\\\\"', '"\\""', '"\\\\\\"]["', "[]", '{"}":1}', "1", '"é]"']), max_size=6),
    st.integers(250, 262),
    st.booleans(),
)
@settings(deadline=None, max_examples=50)
def test_depth_is_counted_outside_of_strings(before: list[str], levels: int, wide: bool) -> None:
    inner = "[" * levels + "]" * levels
    text = "[" + ",".join([*before, *(["[]"] * 300 if wide else []), inner]) + "]"
    failed = isinstance(parse(text, JSON), ParseFailure)
    assert failed is (levels + 1 > DEPTH)


def test_wide_document_is_left_to_the_decoder() -> None:
    text = json.dumps([{"box": [0, 0], "say": 'a ] or "}"'}] * 3000)
    assert steps(lambda: parse(text, JSON)) < 3000 < steps(lambda: scan(text, JSON))


@pytest.mark.parametrize("sign", [1, -1])
def test_long_integers_are_exact(sign: int) -> None:
    # 10^k - 1 is k nines
    for digits in (18, 19, 20, 309, DIGITS - 1, DIGITS):
        text = ("-" if sign < 0 else "") + "9" * digits
        assert parse(text, JSON) == sign * (10**digits - 1)
    for digits in (DIGITS + 1, 4300, 4301, 100_000):
        text = ("-" if sign < 0 else "") + "9" * digits
        assert parse(text, JSON) == ParseFailure("number out of range", 0)
        assert parse(f'{{"a": [{text}]}}', JSON) == ParseFailure("number out of range", 7)


def test_long_integers_are_exact_where_python_is_told_to_read_less() -> None:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        assert parse("[" + "9" * DIGITS + "]", JSON) == [10**DIGITS - 1]
    finally:
        sys.set_int_max_str_digits(limit)


HOSTILE = {
    "quotes": '"',
    "backslashes": "\\",
    "string of backslashes": '"\\',
    "halves": '"\\ud83d',
    "commas": "[1,",
    "elements": "[" + "1," * 4,
    "members": '{"a":',
    "objects": "{}",
    "strings": '["a"',
    "digits": "1",
    "signs": "-",
    "dots": ".",
    "spaces": " ",
    "brackets and spaces": "[ ",
    "prose": "a [ ",
    "fences": "```",
    "colons": '":"',
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_work_grows_no_faster_than_the_text(piece: str) -> None:
    def work(times: int) -> int:
        return steps(lambda: parse(piece * times, JSON)) + steps(lambda: parse('["' + piece * times, JSON))

    assert work(4000) <= 4.1 * work(1000)
    # what a regular expression does is no line of Python: with quadratic work, a megabyte of it would not end
    assert isinstance(parse("[" + piece * (1_000_000 // len(piece)), JSON), ParseFailure)


# Against the rest of the world


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
indents: st.SearchStrategy[int | str | None] = st.sampled_from([None, 0, 2, "\t", "\r\n "])
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r")])


@given(documents, st.booleans(), indents, separators)
@settings(deadline=None)
def test_what_python_writes_is_read_back(
    document: object, ascii_only: bool, indent: int | str | None, separators: tuple[str, str]
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent, separators=separators)
    assert same(parse(text, JSON), document)
    assert same(scan(text, JSON), document)


PIECES = [*'{}[]:,"\\/ \t\n\r-+.eE019tfn', *"'“#\x00\x0b\x1fé\ud83d\udc80\ufeff\u2028"]
PIECES += ["true", "fals", "null", "NaN", "Infinity", "None", '"a"', '"b":', '"a":1,', r"\u003a", r"\u0061", r"\ud83d"]
PIECES += [
    r"\ude00",
    r"\u12",
    r"\n",
    "//",
    "/*",
    "```",
    "...",
    "1e400",
    "1e-400",
    "12345678901234567890",
    "01",
    "1.",
    ".5",
]
pieces = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@st.composite
def broken_texts(draw: st.DrawFn) -> str:
    """A document as Python writes it, changed in a few places."""
    text = json.dumps(draw(documents), ensure_ascii=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from([*PIECES, ""])) + text[at + draw(st.integers(0, 2)) :]
    return text


@given(pieces | broken_texts())
@example('{"a":1,"a":"\\u003a"}')
@settings(deadline=None, max_examples=500)
def test_verdict_is_the_same_with_the_decoder_without_it_and_by_python(text: str) -> None:
    found, scanned = parse(text, JSON), scan(text, JSON)
    try:
        expected = read_strictly(text)
    except ValueError:
        assert isinstance(found, ParseFailure)
        assert found == scanned
        assert found.position is None or 0 <= found.position < len(text)
    else:
        assert same(found, expected)
        assert same(scanned, expected)


@given(pieces | broken_texts(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
@settings(deadline=None)
def test_permissions_are_the_same_with_the_decoder_and_without_it(
    text: str, duplicates: bool, nan: bool, surrogates: bool, mark: bool
) -> None:
    syntax = Syntax(duplicate_keys=duplicates, nan=nan, surrogates=surrogates, byte_order_mark=mark)
    found, scanned = parse(text, syntax), scan(text, syntax)
    assert same(found, scanned)
    assert isinstance(found, ParseFailure) or not isinstance(
        scan(text, Syntax(nan=True, duplicate_keys=True, surrogates=True, byte_order_mark=True)), ParseFailure
    )


@given(documents, st.booleans(), indents, st.data())
@settings(deadline=None)
def test_every_beginning_of_a_document_is_truncated_or_a_document(
    document: object, ascii_only: bool, indent: int | str | None, data: st.DataObject
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    beginning = text[: data.draw(st.integers(1, len(text)))]
    found = parse(beginning, JSON)
    assert not isinstance(found, ParseFailure) or found.truncated, str(found)


@given(pieces | broken_texts())
@settings(deadline=None, max_examples=300)
def test_truncated_text_can_be_ended(text: str) -> None:
    failure = parse(text, JSON)
    if isinstance(failure, ParseFailure):
        assert failure.truncated is (ended(text) is not None)


def ended(text: str) -> str | None:
    """A document that begins with a text, found by trying what may be missing."""
    text = text.rstrip(" \t\r\n")
    if not text:
        return None
    words = ["rue", "ue", "e", "alse", "lse", "se", "ull", "ll", "l"]
    escapes = ["dc00", "c00", "000", "00", "0"]
    strings = ['~~~"', 'n"', '\\udc00"', 'udc00"', *(f'{rest}"' for rest in escapes)]
    for token in ["", "0", *strings, *words]:
        for rest in ["", ":0", "0", '"~~~":0']:
            closed = text + token + rest + closers(text + token + rest)
            try:
                read_strictly(closed)
            except ValueError:
                continue
            return closed
    return None


def closers(text: str) -> str:
    """The brackets that are open at the end of a text."""
    found: list[str] = []
    quoted = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif quoted:
            quoted, escaped = char != '"', char == "\\"
        elif char == '"':
            quoted = True
        elif char in "{[":
            found.append("}" if char == "{" else "]")
        elif char in "}]" and found:
            found.pop()
    return "".join(reversed(found))
