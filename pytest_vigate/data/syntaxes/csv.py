"""CSV by RFC 4180: a header, and rows of its width.

Read by a regular expression of our own: Python's module says no positions, and has one limit for all its users.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.data.syntaxes import Syntax
from pytest_vigate.data.syntaxes._text import MARK, fault

NO_TABLE: Final = "text, and no table"
NO_ROWS: Final = "no rows under the header"
NO_NAME: Final = "column without a name"
DUPLICATE_COLUMN: Final = "duplicate column"
UNKNOWN_COLUMN: Final = "unknown column"
MISSING_COLUMN: Final = "missing column"
RAGGED_ROW: Final = "ragged row"
BLANK_LINE: Final = "blank line"
UNCLOSED_QUOTE: Final = "unclosed quote"
TEXT_AFTER_QUOTE: Final = "text after a closing quote"
QUOTE_INSIDE: Final = "quote inside an unquoted cell"
NUL: Final = "NUL"
CONTROL_CHARACTER: Final = "control character"

_QUOTED = r'"[^"]*+(?:""[^"]*+)*+'
_QUOTE = re.compile(_QUOTED)


@functools.cache
def _cells(delimiter: str) -> re.Pattern[str]:
    """A cell as it is written, in quotes or not, and what ends it: a delimiter, the end of a line or of the text.

    Where none is, one character, and no end: a search would look for one behind every character of the rest.
    """
    end = re.escape(delimiter)
    return re.compile(rf'(?:({_QUOTED})"|([^"\r\n{end}]*+))({end}|\r\n?|\n|\Z)|.', re.DOTALL)


@functools.cache
def _controls(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf"(?!{re.escape(delimiter)})[\x00-\x08\x0b\x0c\x0e-\x1f]")


def parse(text: str, syntax: Syntax) -> object:
    r"""The rows of a table, each an object of texts by column; or why the text is none.

    Rows end with ``\n``, ``\r\n`` or ``\r``. Spaces are part of a cell, as the RFC says. A blank line inside the table
    is a failure; before and behind it, it is nothing, so that an empty cell at the end of a table with one column is
    written ``""``. Control characters are failures, but for tabs and line ends, in quotes or not.

    Unless the gate declares columns, a table has at least two of them and one row: any sentence would be a column, and
    any sentence with a comma a header. With columns declared, a header alone is a table without rows.

    Args:
        text: Any text.
        syntax: The delimiter, and the columns that have to be there.

    Returns:
        A list, or a `ParseFailure` whose cause is a constant of this module or one that all syntaxes share. It is
        `truncated` where a quote is open at the end, or the last row is too short, no line end closes it and it looks
        begun: it has a delimiter or no space. What breaks off inside the last cell cannot be seen.
    """
    failure = fault(text, syntax)
    if failure is not None:
        return failure
    control = _controls(syntax.delimiter).search(text)
    if control is not None:
        return ParseFailure(NUL if control[0] == "\0" else CONTROL_CHARACTER, control.start())
    start = int(text.startswith(MARK))
    return _rows(text, len(text) - len(text[start:].lstrip("\r\n")), len(text.rstrip("\r\n")), syntax)


def _rows(text: str, start: int, end: int, syntax: Syntax) -> object:
    columns: list[str] = []
    rows: list[dict[str, str]] = []
    cells: list[str] = []
    starts: list[int] = []  # of the header's cells
    at = start
    for cell in _cells(syntax.delimiter).finditer(text, start, end):
        quoted, plain, stop = cell.groups()
        if stop is None:
            break
        cells.append(plain if quoted is None else quoted[1:].replace('""', '"'))
        if not columns:
            starts.append(at)
        elif len(cells) > len(columns):
            return ParseFailure(RAGGED_ROW, at)
        at = cell.end()
        if stop == syntax.delimiter:
            continue
        if not columns:
            failure = _fault_of_header(cells, starts, syntax)
            if failure is not None:
                return failure
            columns = cells
        elif cells == [""] and quoted is None:
            return ParseFailure(BLANK_LINE, cell.start())
        elif len(cells) == len(columns):
            rows.append(dict(zip(columns, cells, strict=True)))
        else:
            begun = at == len(text) and (len(cells) > 1 or not any(map(str.isspace, cells[0])))
            return ParseFailure(RAGGED_ROW, cell.start(3), truncated=begun)
        if not stop:
            return rows if rows or syntax.columns or syntax.required else ParseFailure(NO_ROWS, at)
        cells = []
    return _fault_of_cell(text, at, end)


def _fault_of_header(cells: list[str], starts: list[int], syntax: Syntax) -> ParseFailure | None:
    allowed = {*syntax.columns}
    due = allowed.union(syntax.required)
    if len(cells) < 2 and not due:
        return ParseFailure(NO_TABLE, starts[0])
    seen: set[str] = set()
    for name, at in zip(cells, starts, strict=True):
        if not name.strip():
            return ParseFailure(NO_NAME, at)
        if name in seen:
            return ParseFailure(DUPLICATE_COLUMN, at)
        if allowed and name not in allowed:
            return ParseFailure(UNKNOWN_COLUMN, at)
        seen.add(name)
    return None if due <= seen else ParseFailure(MISSING_COLUMN, starts[0])


def _fault_of_cell(text: str, at: int, end: int) -> ParseFailure:
    """Why no cell begins at a position."""
    quoted = _QUOTE.match(text, at, end)
    if quoted is None:
        return ParseFailure(QUOTE_INSIDE, text.index('"', at))
    if quoted.end() == end:
        return ParseFailure(UNCLOSED_QUOTE, at, truncated=True)
    return ParseFailure(TEXT_AFTER_QUOTE, quoted.end() + 1)
