from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data.refusals import causes, mutated
from data.world import steps
from pytest_vigate.data.replies import DEPTH, ParseFailure
from pytest_vigate.data.syntaxes import Syntax, parse
from pytest_vigate.data.syntaxes import json as json_syntax
from pytest_vigate.data.syntaxes import yaml as module

YAML = Syntax("yaml")
TWICE = Syntax("yaml", duplicate_keys=True)
MARKED = Syntax("yaml", byte_order_mark=True)
LOADERS = [pytest.param(yaml.CSafeLoader, id="libyaml"), pytest.param(yaml.SafeLoader, id="pure")]


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(module, "_LOADER", request.param)
    return request.param


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("a: 1", {"a": 1}),
        ("--- # c\na: 1 # c\n...\n...\n# c\n", {"a": 1}),
        ("a:\n- b\n- c: d\n  e: f\n", {"a": ["b", {"c": "d", "e": "f"}]}),
        ("a: 1\r\nb:\r\n - c\r\n", {"a": 1, "b": ["c"]}),
        ("{a: [1, {b: c}], 'd': \"e\", f}", {"a": [1, {"b": "c"}], "d": "e", "f": None}),
        ('{"a":1,"b":[true,null]}', {"a": 1, "b": [True, None]}),
        ("{a:1}", {"a:1": None}),
        ("[a: b]", [{"a": "b"}]),
        ("[]", []),
        ("{}", {}),
        ("- a\n- - b\n  -\n", ["a", ["b", None]]),
        ("a: b\n  c\n\n  d\n", {"a": "b c\nd"}),
        ("a: |\n  b\n   c\nd: >-\n  e\n  f\n", {"a": "b\n c\n", "d": "e f"}),
        ('a: "\\n\\t\\"\\x41\\u00e9\\U0001F600\\L"', {"a": '\n\t"Aé\U0001f600\u2028'}),
        ("a: 'it''s \"x\"'", {"a": 'it\'s "x"'}),
        ("a: 'b\tc'", {"a": "b\tc"}),
        ("? a\n: b\n? c\n", {"a": "b", "c": None}),
        ("größe: ü\U0001f600", {"größe": "ü\U0001f600"}),
        ("a: '\ufeff'", {"a": "\ufeff"}),
        ("# no\n\na: 1", {"a": 1}),
        ("a: 5%\nb: x#y\nc: -x\nd: a:b\n", {"a": "5%", "b": "x#y", "c": "-x", "d": "a:b"}),
    ],
)
def test_mapping_or_list_is_read(loader: Any, text: str, document: object) -> None:
    assert parse(text, YAML) == document


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[(word, word) for word in ("no", "No", "on", "yes", "off", "y", "n", "nULL", "tRUE", "None", "none")],
        *[(word, word) for word in ("1:30", "12:30:45", "2024-01-31", "2024-01-31T10:00:00Z", "1_000", "0b11")],
        *[(word, word) for word in ("0o8", "0xG", "-0x1", "0X1", "1e", "e1", ".", "+", "1.2.3", "12 mm", "nan", "NaN")],
        *[(word, word) for word in ("inf", "Infinity", ".iNF", "+.nan", "<<", "=", "١")],
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("0777", 777),
        ("0o17", 15),
        ("0xfF", 255),
        ("9" * 640, 10**640 - 1),
        ("1.", 1.0),
        (".5", 0.5),
        ("-0.0", -0.0),
        ("1e3", 1000.0),
        ("+1.5E-3", 0.0015),
        ("1e-400", 0.0),
        ("'1'", "1"),
        ('"true"', "true"),
        ("'~'", "~"),
    ],
)
def test_plain_scalars_are_those_of_the_core_schema(scalar: str, value: object) -> None:
    found = parse(f"a: {scalar}", YAML)
    assert isinstance(found, dict)
    assert (type(found["a"]), found["a"]) == (type(value), value)
    if isinstance(value, float):
        assert math.copysign(1, found["a"]) == math.copysign(1, value)


def test_keys_are_texts_as_they_are_written() -> None:
    text = "1: a\n1.0: b\n0x1: c\nnull: d\n~: e\nyes: f\n'': g\n.nan: h\n<<: i\n*x : j\n"
    assert parse("k: &x 7\n" + text, YAML) == {
        "k": 7,
        "1": "a",
        "1.0": "b",
        "0x1": "c",
        "null": "d",
        "~": "e",
        "yes": "f",
        "": "g",
        ".nan": "h",
        "<<": "i",
        "7": "j",
    }


def test_merge_keys_merge_nothing() -> None:
    assert parse("a: &x {b: 1}\nc:\n  <<: *x\n", YAML) == {"a": {"b": 1}, "c": {"<<": {"b": 1}}}


def test_aliases_are_what_the_last_anchor_of_their_name_names() -> None:
    assert parse("- &a 1\n- *a\n- &a [x]\n- *a\n- *a\n", YAML) == [1, 1, ["x"], ["x"], ["x"]]
    assert parse("&a [&a x, *a]", YAML) == ["x", "x"]
    assert parse("[&a [&a x, b], *a]", YAML) == [["x", "b"], "x"]
    assert parse("&a 1: *a", YAML) == {"1": 1}
    assert parse("a: &x\nb: *x", YAML) == {"a": None, "b": None}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

REFUSED = [
    ("", "empty text", None),
    (" \n", "empty text", None),
    ("# a comment\n", "empty text", None),
    ("---\n", "empty text", None),
    ("\ufeffa: 1", "byte order mark", 0),
    ("a: 1\n\ufeffb: 2", "byte order mark", 5),
    ("a: b\ufeff", "byte order mark", 4),
    ("a: \udcff", "invalid UTF-8", 3),
    ("a: \ud83d", "half of a character", 3),
    ("```yaml\na: 1\n```", "code fence around the document", 0),
    ("There is no defect.", "text, and no mapping or list", 0),
    ("'a: 1'", "text, and no mapping or list", 0),
    ("null", "text, and no mapping or list", 0),
    ("|\n a: 1", "text, and no mapping or list", 0),
    ("There is\none: yes", "text, and no mapping or list", 0),
    ("a: 1\n---\nb: 1", "second document", 5),
    ("a: 1\n---\n", "second document", 5),
    ("[a]\n...\n# c\n--- b", "second document", 12),
    ("[a] b", "text after the document", 4),
    ("- a\n...\nb", "text after the document", 8),
    ("[a]\n%TAG ! x\n--- b", "text after the document", 4),
    ("  a: 1\n b: 2", "text after the document", 8),
    ("%YAML 1.2\n---\na: 1", "directive", 0),
    ("\n# c\n%TAG ! x\n---\na: 1", "directive", 5),
    ("a: !!python/object/apply:os.system ['echo']", "tag", 3),
    ("a: !!str 1", "tag", 3),
    ("a: ! 1", "tag", 3),
    ("!x\na: 1", "tag", 0),
    ("- !x [a]", "tag", 2),
    ("a: !e!x 1", "tag", 3),
    ("a: !<x", "tag", 3),
    ("a: 1\nb: 2\na: 3", "duplicate key", 10),
    ("{1: a, '1': b}", "duplicate key", 7),
    ("&x a: 1\n*x : 2", "duplicate key", 8),
    ("? [a]\n: b", "key is no text", 2),
    ("{a: b}: c", "key is no text", 0),
    ("a: &x [1]\n*x : 2", "key is no text", 10),
    ("a: .nan", "NaN literal", 3),
    ("[1, -.Inf]", "NaN literal", 4),
    ("a: 1e999", "number out of range", 3),
    ("a: " + "9" * 641, "number out of range", 3),
    ("a: 0x" + "9" * 100_000, "number out of range", 3),
    ("* item\n* item", "alias or anchor without a name", 0),
    ("a: **b**", "alias or anchor without a name", 3),
    ("a: *x", "alias of nothing", 3),
    ("a: *x\nb: &x 1", "alias of nothing", 3),
    ("&x [a, {b: *x }]", "alias inside of what it names", 11),
    (BOMB, "aliases stand for too much", 173),
    ("a: &a " + "x" * 500_000 + "\nb: [*a, *a, *a, *a]", "aliases stand for too much", 500_023),
    ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), f"nested deeper than {DEPTH} levels", DEPTH),
    ("[" * 100_000, f"nested deeper than {DEPTH} levels", DEPTH),
    ("- " * 50_000, f"nested deeper than {DEPTH} levels", 2 * DEPTH),
    ("a: [1]]", "closing bracket without an opening one", 6),
    ("a: }", "closing bracket without an opening one", 3),
    ("{a: {b: c]}", "mismatched bracket", 9),
    ("[a,,b]", "extra comma", 3),
    ("{,}", "extra comma", 1),
    ('{"a": "1" "b": 2}', "missing comma", 10),
    ("a: [1, 2\nb: 3", "missing comma", 10),
    ("a: 1\nThat is all.", "missing colon", 5),
    ("a: 1\nb\nc: 2", "missing colon", 5),
    ("a: 1\nb\n", "missing colon", 5),
    ("- a\nb", "missing colon", 4),
    ("k:\n  - a\n  b", "missing colon", 11),
    ("a: 1\n[x]", "missing colon", 5),
    ("a: b: c", "misplaced colon", 4),
    ("a: 1\n  b: 2", "misplaced colon", 8),
    ("a: - b", "list or key in the middle of a line", 3),
    ("a: ? b", "list or key in the middle of a line", 3),
    ('a: "\\q"', "bad escape", 4),
    ('a: "\\x4"', "bad escape", 4),
    ("a:\n\tb: 1", "tab as indentation", 3),
    ("\ta: 1", "tab as indentation", 0),
    ("a: b\n\tc", "tab as indentation", 5),
    ("a: |\n\tb", "tab as indentation", 5),
    ("a: 1\n- b", "bad indentation", 5),
    ("- a: 1\n b: 2", "bad indentation", 8),
    ("- a\n\nb: 1", "bad indentation", 5),
    ('a: "x" y', "text after a value", 7),
    ("a: [x] y", "text after a value", 7),
    ("a: [x\n  ] y", "text after a value", 10),
    ("- &x b\n-\n  *x d", "text after a value", 14),
    ("a: > 5 mm", "text behind the sign of a block text", 5),
    ("a: |0\n x", "text behind the sign of a block text", 4),
    ("a: `x`", "unexpected character", 3),
    ("a: @x", "unexpected character", 3),
    ('"a\n---\nb": 1', "unclosed string", 0),
    ("a: \0", "control character", 3),
    ("a: '\x7f'", "control character", 4),
    ("a: b\x85c", "line end that YAML 1.2 does not know", 4),
    ("a: 'b\u2028c'", "line end that YAML 1.2 does not know", 5),
]
CUT = [
    ("[", "unclosed bracket", 0),
    ('{"é": [1, 2', "unclosed bracket", 6),
    ("{a: 1, b: [2], c", "unclosed bracket", 0),
    ("[a: b", "unclosed bracket", 0),
    ("[ a: b", "unclosed bracket", 0),
    ("[ &x [ a, [b] ", "unclosed bracket", 5),
    ("a: [1,\n\n", "unclosed bracket", 3),
    ('a: "é\n', "unclosed string", 3),
    ("a: 'it''", "unclosed string", 3),
    ('[[["a', "unclosed string", 3),
    ('a: "x\\', "unclosed string", 3),
    ('a: "x\\u00e', "unclosed string", 3),
    ("a: 1\nsever", "missing colon", 5),
    ("a:\n  b: 1\nsever", "missing colon", 10),
    ("a:\n- b\nsever", "missing colon", 7),
    ("- a: 1\n  sever", "missing colon", 9),
    ("a: &", "alias or anchor without a name", 3),
]


@pytest.mark.parametrize(("text", "cause", "position"), REFUSED)
def test_text_that_is_no_document_says_why_and_where(loader: Any, text: str, cause: str, position: int | None) -> None:
    assert parse(text, YAML) == ParseFailure(cause, position)


@pytest.mark.parametrize(("text", "cause", "position"), CUT)
def test_document_that_breaks_off_is_truncated(loader: Any, text: str, cause: str, position: int) -> None:
    assert parse(text, YAML) == ParseFailure(cause, position, truncated=True)


def test_tables_above_reach_every_cause() -> None:
    assert {cause for _, cause, _ in (*REFUSED, *CUT)} == causes(module)


def test_causes_of_all_syntaxes_have_json_s_words() -> None:
    for name in ("DUPLICATE_KEY", "UNCLOSED_BRACKET", "UNCLOSED_STRING", "NAN_LITERAL", "OUT_OF_RANGE", "BAD_ESCAPE"):
        assert getattr(json_syntax, name) == getattr(module, name)


@pytest.mark.parametrize("escape", ["\\ud83d", "\\ud83d\\ude00", "\\U00110000", "\\UFFFFFFFF"])
def test_escape_of_no_character_is_bad(loader: Any, escape: str) -> None:
    failure = parse(f'a: "{escape}"', YAML)
    assert isinstance(failure, ParseFailure)
    assert failure.cause == "bad escape"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a:\tb", {"a": "b"}),
        ("{\n\t'a': 1\n}", {"a": 1}),
        ("a: 1\t# c", {"a": 1}),
        ("a: b\n \tc", {"a": "b c"}),
        ("[what?, b]", ["what?", "b"]),
        ("a: |# c\n  b", {"a": "b"}),
    ],
)
def test_without_libyaml_some_texts_more_are_refused(monkeypatch: pytest.MonkeyPatch, text: str, read: object) -> None:
    assert parse(text, YAML) == read
    monkeypatch.setattr(module, "_LOADER", yaml.SafeLoader)
    assert isinstance(parse(text, YAML), ParseFailure)


def test_without_libyaml_a_colon_before_a_bracket_may_end_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse("[a:, b]", YAML) == ParseFailure("misplaced colon", 2)
    monkeypatch.setattr(module, "_LOADER", yaml.SafeLoader)
    assert parse("[a:, b]", YAML) == [{"a": None}, "b"]


def test_keys_may_be_there_twice_where_the_gate_lets_them() -> None:
    assert parse("a: 1\nb: 2\na: [3]", TWICE) == {"a": [3], "b": 2}
    assert parse("{a: 1, a: 2}", TWICE) == {"a": 2}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\ufeffa: 1", {"a": 1}),
        ("\ufeff\ufeffa: 1", ParseFailure("byte order mark", 1)),
        ("\ufeff%YAML 1.2\n---\na: 1", ParseFailure("directive", 1)),
        ("\ufeffa: é\na: 1", ParseFailure("duplicate key", 6)),
        ("\ufeffé: [", ParseFailure("unclosed bracket", 4, truncated=True)),
        ("\ufeff---\n", ParseFailure("empty text")),
    ],
)
def test_byte_order_mark_passes_where_the_gate_lets_it(loader: Any, text: str, found: object) -> None:
    assert parse(text, MARKED) == found


def test_depth_counts_what_aliases_stand_for() -> None:
    deep = "[" * 200 + "]" * 200
    most = DEPTH - 200  # with the list around both, and 55 more
    for levels, whole in ((most - 1, True), (most, False)):
        found = parse(f"[&a {deep}, {'[' * levels}*a {']' * levels}]", YAML)
        assert isinstance(found, list) is whole
        if not whole:
            assert found == ParseFailure(f"nested deeper than {DEPTH} levels", len(f"[&a {deep}, ") + levels)


def test_deepest_document_is_read_far_down_the_stack() -> None:
    def fall(levels: int) -> object:
        return fall(levels - 1) if levels else parse("[" * DEPTH + "]" * DEPTH, YAML)

    assert isinstance(fall(800), list)


def test_aliases_may_stand_for_as_much_as_is_allowed() -> None:
    # a node counts one: 1 for each alias of a word, 101 for each of a list of 100
    assert isinstance(parse("- &a b\n" + "- *a\n" * 100_000, YAML), list)
    assert parse("- &a b\n" + "- *a\n" * 100_001, YAML) == ParseFailure(
        "aliases stand for too much", len("- &a b\n") + 5 * 100_000 + 2
    )
    hundred = "&a [" + "b," * 100 + "]"
    assert isinstance(parse(f"[{hundred}" + ",*a " * 990 + "]", YAML), list)  # 99 990
    assert isinstance(parse(f"[{hundred}" + ",*a " * 991 + "]", YAML), ParseFailure)  # 100 091


CHARS = st.characters(exclude_categories=["Cs"])
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARS)
    | st.sampled_from(
        ["no", "1:30", "0o7", "1e3", "~", "a: b", "- a", "#", "'", '"', "%", "0777", "=", "<<", "!a", "*a"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(CHARS), inner, max_size=4),
    max_leaves=10,
).filter(lambda document: isinstance(document, list | dict))


@given(DOCUMENTS, st.sampled_from([None, 2, "\t"]), st.booleans())
@settings(deadline=None)
def test_json_is_read_as_json(document: Any, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    # keys of over 1024 characters, pairs of halves, and what YAML 1.1 refuses or breaks lines at, are JSON's alone
    assume(not re.search(r"\\ud[89ab]|[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", text))
    assert parse(text, YAML) == document


class Quoting(yaml.SafeDumper):
    """Quotes texts that the core schema reads as something else."""


def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        plain = module._resolve(text, 0) == text
    except module._RefusedError:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else "'")


Quoting.add_representer(str, represent)


@given(
    DOCUMENTS,
    st.sampled_from([True, False, None]),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.booleans(),
    st.sampled_from(LOADERS),
)
@settings(deadline=None)
def test_what_pyyaml_writes_is_read_back(
    document: Any, flow: bool | None, style: str | None, unicode: bool, used: Any
) -> None:
    # PyYAML 6.0.3; it writes 1e+16 as 1.0e+16, and line ends of YAML 1.1 as they are in some styles
    text = yaml.dump(
        document, Dumper=Quoting, default_flow_style=flow, default_style=style, allow_unicode=unicode, sort_keys=False
    )
    assume("!!" not in text)  # scalars in quotes that are no texts, and texts that look like numbers of YAML 1.1
    assume(not re.search("[\x85\u2028\u2029\ufeff]", text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LOADER", used.values[0])
        assert parse(text, YAML) == document


BOTH = st.sampled_from(
    [
        "a: 1\nb:\n  - c: 'd'\n    e: \"f\\n\"\n  - [x, {y: z}]\nk: |\n  text\n   more\n",
        '{"a": [1, 2.5, true, null], "b": {"c": "d e"}}\n',
        "- &a [x, y]\n- *a\n- k: >\n    folded\n    text\n# c\n- plain\n  text\n",
        "---\na: b c\n? d\n: e\n...\n",
    ]
)
PIECES = ":-?[]{},#&*!|>'\"%@` \n\t~0"


KNOWN_DIFFERENCE = re.compile(r"[\t?]|:[,\[\]{}]|[|>][-+0-9]*#")


@given(mutated(BOTH, PIECES))
@settings(deadline=None, max_examples=1500)
def test_both_loaders_of_pyyaml_are_read_alike(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LOADER", yaml.CSafeLoader)
        fast = parse(text, MARKED)
        patch.setattr(module, "_LOADER", yaml.SafeLoader)
        pure = parse(text, MARKED)
    if isinstance(pure, ParseFailure) is isinstance(fast, ParseFailure):
        assert isinstance(pure, ParseFailure) or fast == pure
    else:
        assert KNOWN_DIFFERENCE.search(text)


@given(mutated(BOTH, PIECES))
@settings(deadline=None, max_examples=1500)
def test_yaml_base_loader_reads_the_same_structure(text: str) -> None:
    # PyYAML 6.0.3's CBaseLoader: every scalar is a text; of YAML 1.1, an anchor names one value only
    assume(text.count("&") < 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_resolve", lambda text, at: text)
        found = parse(text, MARKED)
    if not isinstance(found, ParseFailure):
        # Behind the end of the document we take white space that libyaml does not: a tab.
        assert found == yaml.load(re.sub(r"\n\.\.\.[ \t\r\n]*\Z", "\n", text), yaml.CBaseLoader)


@given(st.one_of(st.text(), mutated(BOTH, PIECES)), st.booleans(), st.booleans(), st.sampled_from(LOADERS))
@settings(deadline=None, max_examples=500)
def test_no_text_raises_and_positions_lie_inside(text: str, mark: bool, twice: bool, used: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LOADER", used.values[0])
        found = parse(text, Syntax("yaml", byte_order_mark=mark, duplicate_keys=twice))
    if isinstance(found, ParseFailure):
        assert found.position is None or 0 <= found.position <= len(text)
    else:
        assert isinstance(found, list | dict)


@pytest.mark.parametrize("pattern", ["- a\n", "- {a: 1}\n", "- [&x a, *x ]\n", "- ? a\n", "- 'a'\n", "- |\n  a\n"])
def test_work_grows_no_faster_than_the_text(pattern: str) -> None:
    small, large = (steps(lambda n=n: parse(pattern * n, YAML)) for n in (500, 5_000))  # type: ignore[misc]
    assert large <= 10 * small


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("%TAG !a! b\n" * 90_000 + "--- a", "directive"),
        ("[a]\n...\n" + "%TAG !a! b\n" * 90_000 + "--- a", "text after the document"),
        ("\n" * 1_000_000 + "%", "directive"),
        ("{a: " * 250_000, f"nested deeper than {DEPTH} levels"),
        ("? " * 500_000, "key is no text"),
        ("&a " * 300_000, "text, and no mapping or list"),
        ('"' * 1_000_001, "text, and no mapping or list"),
        ("'" * 1_000_001, "unclosed string"),
        ("a: " + "9" * 1_000_000, "number out of range"),
        (BOMB * 2_000, "aliases stand for too much"),
    ],
    ids=lambda value: None if len(value) > 100 else value,
)
def test_a_million_characters_are_refused_before_they_cost_anything(text: str, cause: str) -> None:
    failure = parse(text, YAML)
    assert isinstance(failure, ParseFailure)
    assert failure.cause == cause
