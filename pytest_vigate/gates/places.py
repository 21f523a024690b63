"""A way through the tree of a gate file: every piece with its JSON path, refused pieces left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytest_vigate.errors import Problem
from pytest_vigate.gates.model import Position
from pytest_vigate.gates.syntax import Node
from pytest_vigate.gates.wording import describe, step


@dataclass(frozen=True, slots=True)
class Place:
    """A node and the way to it.

    Args:
        node: The node.
        path: Its JSON path.
        refused: Paths of the pieces that a problem was found in; shared by all places of a file. What lies
            below is handed out as if it were not there, so that the good pieces can still be used.
    """

    node: Node
    path: str
    refused: set[str]

    @property
    def value(self) -> Any:
        """The plain value."""
        return self.node.value

    @property
    def text(self) -> str:
        """Source text of a scalar."""
        return self.node.text

    @property
    def position(self) -> Position:
        """Where the value stands."""
        return Position(self.node.line, self.node.column, self.path)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.node.value, list)

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self.node.value, dict)

    def get(self, key: str | int) -> Place | None:
        """The piece under a key or index; None when it is absent or refused."""
        node = self.node.children.get(key)
        if node is None:
            return None
        path = self.path + step(key)
        return None if path in self.refused else Place(node, path, self.refused)

    def children(self) -> Iterator[tuple[str | int, Place]]:
        """All pieces of a list or mapping that are not refused."""
        for key in self.node.children:
            if place := self.get(key):
                yield key, place

    def items(self) -> Iterator[tuple[str, Place]]:
        """All pieces of a mapping that are not refused."""
        return ((str(key), place) for key, place in self.children())

    def values(self) -> Iterator[Place]:
        """All pieces of a list that are not refused; of anything else, itself."""
        if self.is_list:
            return (place for _, place in self.children())
        return iter((self,))

    def key_position(self, key: str) -> Position:
        """Where a key of a mapping stands."""
        return Position(*self.node.keys[key], self.path + step(key))

    def problem(self, message: str, hint: str = "") -> Problem:
        """A problem with this piece, which is refused from now on."""
        self.refused.add(self.path)
        return Problem(self.node.line, self.node.column, self.path, message, hint)

    def described(self) -> str:
        """What stands here, for "expected …, found …"."""
        return describe(self.node.value, self.node.text)
