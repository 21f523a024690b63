from __future__ import annotations

import csv
import io
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.refusals import causes, mutated
from data.world import steps
from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.data.syntaxes import Syntax, parse
from pytest_vigate.data.syntaxes import csv as module

CSV = Syntax("csv")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\n1,2", [{"a": "1", "b": "2"}]),
        ("a,b\n1,2\n3,4\n", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        ("a,b\r\n1,2\r\n", [{"a": "1", "b": "2"}]),
        ("a,b\r1,2\r", [{"a": "1", "b": "2"}]),
        ("a,b\n1,2\r\n3,4\r5,6", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}, {"a": "5", "b": "6"}]),
        ("\n\r\na,b\n1,2\n\n\r\n", [{"a": "1", "b": "2"}]),
        ("a,b\n1,", [{"a": "1", "b": ""}]),
        ("a,b\n,", [{"a": "", "b": ""}]),
        ('a,b\n"",""', [{"a": "", "b": ""}]),
        ('"a","b ""c"""\n"1,\r\n2\n",3', [{"a": "1,\r\n2\n", 'b "c"': "3"}]),
        ("a, b\n 1 ,\t2", [{"a": " 1 ", " b": "\t2"}]),
        ("größe,年\n1,2", [{"größe": "1", "年": "2"}]),
        ("a,b\n=1+1,0x10", [{"a": "=1+1", "b": "0x10"}]),
    ],
)
def test_table_is_read_as_its_rows(text: str, rows: list[dict[str, str]]) -> None:
    assert parse(text, CSV) == rows


REFUSED = [
    ("", "empty text", None),
    (" \t\r\n", "empty text", None),
    ("\ufeffa,b\n1,2", "byte order mark", 0),
    ("a,b\n1,\udcff", "invalid UTF-8", 6),
    ("a,b\n1,\ud83d", "half of a character", 6),
    ("```csv\na,b\n1,2\n```", "code fence around the document", 0),
    ("\n```\na,b\n1,2\n```", "code fence around the document", 1),
    ("There is no defect.", "text, and no table", 0),
    ("There is\nno defect", "text, and no table", 0),
    ("Here it is:\na,b\n1,2", "text, and no table", 0),
    ("Sure, no defect.", "no rows under the header", 16),
    ("a,b\n", "no rows under the header", 3),
    ("a,\n1,2", "column without a name", 2),
    ("a, \n1,2", "column without a name", 2),
    ("a,b,a\n1,2,3", "duplicate column", 4),
    ("a,b\n1,2,3\n", "ragged row", 8),
    ("a,b\n1\n", "ragged row", 5),
    ("a,b\n1\n3,4", "ragged row", 5),
    ('a,b\n""\n3,4', "ragged row", 6),
    ("a,b\n1,2\n \n3,4", "ragged row", 9),
    ("a,b\n1,2\nHope this helps", "ragged row", 23),
    ("a,b\n1,2\n\n3,4", "blank line", 8),
    ("a,b\n1,2\r\n\r\n3,4", "blank line", 9),
    ('a,b\n1,"2"x\n', "text after a closing quote", 9),
    ('a,b\n1,"2" ,3\n', "text after a closing quote", 9),
    ('a,b\n1,x"y"\n', "quote inside an unquoted cell", 7),
    ('a,b\n1, "y"\n', "quote inside an unquoted cell", 7),
    ("a,b\n1,2\0", "NUL", 7),
    ('a,b\n1,"2\0"', "NUL", 8),
    ("a,b\n1,\x1b[0m", "control character", 6),
]
CUT = [
    ('a,b\n1,"2', "unclosed quote", 6),
    ('a,b\n1,"2\n3,4\n', "unclosed quote", 6),
    ('a,b\n1,"2""', "unclosed quote", 6),
    ('"a', "unclosed quote", 0),
    ("a,b\n1,2\n3", "ragged row", 9),
    ("a,b,c\n1,the lid", "ragged row", 15),
]
DECLARED = [
    (Syntax("csv", columns=("a", "b")), "a,c\n1,2", "unknown column", 2),
    (Syntax("csv", columns=("a", "b")), "There is no defect.", "unknown column", 0),
    (Syntax("csv", columns=("a", "b")), "a\n1", "missing column", 0),
    (Syntax("csv", required=("b",)), "\na,c\n1,2", "missing column", 1),
    (Syntax("csv", columns=("a",), required=("b",)), "a\n1", "missing column", 0),
    (Syntax("csv", columns=("a",)), "a\n1\n\n2", "blank line", 4),
    (Syntax("csv", byte_order_mark=True), "\ufeffa,b\n1,2,3", "ragged row", 9),
    (Syntax("csv", byte_order_mark=True), "\ufeff\n", "empty text", None),
]


@pytest.mark.parametrize(("text", "cause", "position"), REFUSED)
def test_text_that_is_no_table_says_why_and_where(text: str, cause: str, position: int | None) -> None:
    failure = parse(text, CSV)
    assert failure == ParseFailure(cause, position)


@pytest.mark.parametrize(("text", "cause", "position"), CUT)
def test_table_that_breaks_off_is_truncated(text: str, cause: str, position: int) -> None:
    assert parse(text, CSV) == ParseFailure(cause, position, truncated=True)


@pytest.mark.parametrize(("syntax", "text", "cause", "position"), DECLARED)
def test_declared_columns_are_held_against_the_header(
    syntax: Syntax, text: str, cause: str, position: int | None
) -> None:
    assert parse(text, syntax) == ParseFailure(cause, position)


def test_tables_above_reach_every_cause() -> None:
    assert {case[-2] for case in (*REFUSED, *CUT, *DECLARED)} == causes(module)


def test_columns_may_come_in_any_order_and_required_ones_with_others() -> None:
    rows = [{"b": "1", "a": "2"}]
    assert parse("b,a\n1,2", Syntax("csv", columns=("a", "b"))) == rows
    assert parse("b,a\n1,2", Syntax("csv", required=("a",))) == rows


def test_one_column_or_none_under_the_header_is_a_table_where_columns_are_declared() -> None:
    assert parse("a\n1\n", Syntax("csv", columns=("a",))) == [{"a": "1"}]
    assert parse('a\n1\n""\n\n', Syntax("csv", required=("a",))) == [{"a": "1"}, {"a": ""}]
    assert parse("a,b\n", Syntax("csv", columns=("a", "b"))) == []
    assert parse("a,b", Syntax("csv", required=("a",))) == []


def test_byte_order_mark_passes_where_the_gate_lets_it() -> None:
    assert parse("\ufeffa,b\n1,2", Syntax("csv", byte_order_mark=True)) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "^", "]", "\\", "-", ".", " ", "\x1f", "é"])
def test_delimiter_is_any_character(delimiter: str) -> None:
    text = f'a{delimiter}b\n1,2{delimiter}"3{delimiter}4"'
    assert parse(text, Syntax("csv", delimiter=delimiter)) == [{"a": "1,2", "b": f"3{delimiter}4"}]


@given(
    st.integers(2, 4).flatmap(
        lambda width: st.tuples(
            st.lists(
                st.text(alphabet='ab ,"\né', min_size=1).filter(str.strip), min_size=width, max_size=width, unique=True
            ),
            st.lists(
                st.lists(st.text(alphabet='ab ,;"\r\né\t'), min_size=width, max_size=width), min_size=1, max_size=5
            ),
        )
    ),
    # with other ends, it does not quote a carriage return
    st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]),
)
@settings(deadline=None)
def test_what_pythons_csv_writes_is_read_back(
    table: tuple[list[str], list[list[str]]], form: tuple[str, Literal[0, 1]]
) -> None:
    header, rows = table
    end, quoting = form
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=end, quoting=quoting)
    writer.writerows([header, *rows])
    assert parse(out.getvalue(), CSV) == [dict(zip(header, row, strict=True)) for row in rows]


TABLES = st.sampled_from(["a,b\n1,2\n3,4", 'a,b\r\n"1 ""x""",2\r\n', '"a","b"\n"1\n2",3\n', "x,y,z\n1,,3\n,,\n"])


@given(mutated(TABLES, '",\r\n x'))
@settings(deadline=None, max_examples=500)
def test_strict_csv_of_python_reads_the_same_rows(text: str) -> None:
    # csv of Python 3.11: strict checks closing quotes only; it takes quotes inside of cells, drops blank lines
    found = parse(text, CSV)
    if isinstance(found, list):
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        assert found == [dict(zip(header, row, strict=True)) for row in rows]


@given(st.one_of(st.text(), mutated(TABLES, '",\r\n x;')), st.booleans(), st.sampled_from([(), ("a",), ("a", "b")]))
@settings(deadline=None)
def test_no_text_raises_and_positions_lie_inside(text: str, mark: bool, columns: tuple[str, ...]) -> None:
    found = parse(text, Syntax("csv", byte_order_mark=mark, columns=columns))
    if isinstance(found, ParseFailure):
        assert found.position is None or 0 <= found.position <= len(text)
    else:
        assert isinstance(found, list)
        assert columns or found


TEN_MILLION = 10_000_000


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("x" * TEN_MILLION, "x" * TEN_MILLION),
        ('"' + "\n" * TEN_MILLION + '"', "\n" * TEN_MILLION),
        ('"' * TEN_MILLION, '"' * (TEN_MILLION // 2 - 1)),
    ],
    ids=["plain", "lines", "quotes"],
)
def test_ten_million_characters_in_a_cell_are_read(cell: str, read: str) -> None:
    assert parse(f"a,b\n1,{cell}\n", CSV) == [{"a": "1", "b": read}]


@pytest.mark.parametrize(
    ("cell", "failure"),
    [
        ("x" * TEN_MILLION + '"', ParseFailure("quote inside an unquoted cell", 6 + TEN_MILLION)),
        ('"' * TEN_MILLION + "x", ParseFailure("text after a closing quote", 6 + TEN_MILLION)),
        ('"' * (TEN_MILLION + 1), ParseFailure("unclosed quote", 6, truncated=True)),
    ],
    ids=["plain", "quotes", "open"],
)
def test_ten_million_characters_in_a_broken_cell_are_refused(cell: str, failure: ParseFailure) -> None:
    assert parse(f"a,b\n1,{cell}", CSV) == failure


@pytest.mark.parametrize(
    "pattern", ["1,2\n", '"",""\n', '"x"\n', "1,2\n\n", '"', ",", "\r"], ids=lambda pattern: repr(pattern)[1:-1]
)
def test_work_grows_no_faster_than_the_text(pattern: str) -> None:
    small, large = (steps(lambda: parse("a,b\n1,2\n" + pattern * n, CSV)) for n in (1_000, 10_000))  # noqa: B023
    assert large <= 10 * small


def test_ragged_rows_end_the_reading() -> None:
    assert steps(lambda: parse("a,b\n" + "," * 10_000, CSV)) < 100
