"""Helpers of the tests of YAML, CSV and XML."""

from __future__ import annotations

from types import ModuleType

from hypothesis import strategies as st

from pytest_vigate.data.syntaxes import _text

#: Causes that every syntax has.
SHARED = frozenset({_text.EMPTY, _text.BYTE_ORDER_MARK, _text.CODE_FENCE, _text.INVALID_UTF8, _text.HALF_CHARACTER})


def causes(module: ModuleType) -> set[str]:
    """Every cause that a module can name: its constants, and the shared ones."""
    named = {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}
    return {value for name, value in named.items() if name[0] != "_" and name not in ("BLANK", "MARK")} | SHARED


@st.composite
def mutated(draw: st.DrawFn, documents: st.SearchStrategy[str], pieces: str) -> str:
    """A document with pieces cut out, doubled, or put in where they do not belong."""
    text = draw(documents)
    for _ in range(draw(st.integers(1, 4))):
        at, to = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        new = draw(st.sampled_from([*pieces, "", text[at:to] * 2, "\ud83d", "\udcff", "\ufeff", "\0", "\u2028", "é"]))
        text = text[:at] + new + text[draw(st.sampled_from([at, to])) :]
    return text
