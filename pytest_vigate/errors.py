"""What can go wrong, as a tree. A subclass exists only because somebody catches it.

::

    VigateError
    ├── GateFileError     the problems of one gate file, all of them; pytest exits 2
    ├── UnmeasurableError the score cannot be known; an error in JUnit, never a pass
    │   └── DataError     a data file cannot be read, placed or joined
    │       └── NoDocumentsError  no reference is a document: they are texts, for other families
    └── PluginError       a plugin answered a hook with something that cannot be used
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a gate file, at a place that an editor can jump to."""

    line: int
    """1-based line in the gate file."""
    column: int
    """1-based column, in characters."""
    path: str
    """JSON path of the offending node, as ``$.thresholds['bbox.f1'].min``."""
    message: str
    """What was found and what was expected."""
    hint: str = ""
    """What to do, as ``did you mean 75%?``; empty when there is nothing to suggest."""

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.line}:{self.column}: {self.path}: {self.message}{hint}"


class VigateError(Exception):
    """Base of every error that is meant for the user: it is shown without a stack."""


class GateFileError(VigateError):
    """A gate file cannot be used.

    Args:
        file: The gate file as it is shown to the user.
        problems: All its problems; they are kept in file order, each once.
    """

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        #: All problems of the file, in file order.
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(f"{file}:{problem}" for problem in self.problems))


class UnmeasurableError(VigateError):
    """The score cannot be known: not a low score, and never a pass."""


class DataError(UnmeasurableError):
    """A data file cannot be read, its boxes cannot be placed, or its two sides cannot be joined.

    Args:
        where: File, or ``file:line`` or ``file:line:column``, or record, as it is shown to the user.
        message: What was found, what was expected; what to do.
    """

    def __init__(self, where: str, message: str) -> None:
        self.where = where
        self.message = message
        super().__init__(f"{where}: {message}")


class NoDocumentsError(DataError):
    """None of the references is a document in the declared syntax."""


class PluginError(VigateError):
    """A plugin answered one of our hooks with something that cannot be used."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The hint ``did you mean 'x'?`` for the nearest known word; empty if none is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else ""
