"""Paths that a gate file names: found, expanded and kept below the roots. No data is opened here.

A gate file may come from a stranger, and so may the links beside it: whatever is read later lies below a root
after links are followed, and a wildcard costs a bounded number of directory entries.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_vigate.gates.wording import quote

#: Most directory entries that one wildcard looks at.
MAX_ENTRIES: Final = 100_000
#: What stands in a path for the step of a checkpoint.
CHECKPOINT: Final = "{checkpoint}"
#: Digits of a step: what 64 bits hold.
_STEP_DIGITS: Final = 18

_STAY = "keep it below the root, or name its folder in the ini option vigate_data_roots"


class RefusedPathError(Exception):
    """The path cannot be used; message and hint say why."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a gate file stands."""

    folder: Path
    """Resolved folder of the gate file."""
    file: str
    """The gate file as shown to the user, relative to the first root."""
    roots: tuple[Path, ...]
    """Resolved folders that all data has to lie in."""

    @classmethod
    def of(cls, path: Path, *, file: str, roots: tuple[Path, ...]) -> Surroundings:
        """Those of a gate file, links followed."""
        return cls(path.parent.resolve(), file, tuple(folder.resolve() for folder in roots))

    def shown(self, given: str) -> str:
        """A path of the gate file as shown to the user, relative to the first root where it lies there."""
        absolute = posixpath.normpath((self.folder / given).as_posix())
        if posixpath.isabs(given) and self.roots:
            return posixpath.relpath(absolute, self.roots[0]) if Path(absolute).is_relative_to(self.roots[0]) else given
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.file), given))

    def find(self, given: str) -> tuple[Path, ...]:
        """The resolved paths that a path or glob stands for, sorted; a literal path need not exist.

        Raises:
            RefusedPathError: If it leads outside the roots, or a glob matches nothing.
        """
        if not _is_wild(given):
            return (self.locate(given),)
        parts = Path(given).parts
        first = next(i for i, part in enumerate(parts) if _is_wild(part))
        fixed, wild = parts[:first], parts[first:]
        if ".." in wild:
            raise RefusedPathError(f"{quote(given)} goes up with '..' after a wildcard")
        start = self._resolve(self.folder.joinpath(*fixed), quote(given) + " ")
        try:
            found = sorted(_expand(start, wild, _Budget(MAX_ENTRIES)))
        except _SpentError:
            message = f"{quote(given)} looks through more than {MAX_ENTRIES} files"
            raise RefusedPathError(message, "name the folder more closely") from None
        if not found:
            raise RefusedPathError(f"no file matches {quote(given)}")
        return tuple(self._resolve(path, quote(path.name) + ", which matches, ") for path in found)

    def find_checkpoints(self, given: str) -> dict[int, tuple[str, tuple[Path, ...]]]:
        """What stands for ``{checkpoint}`` in a path, by its number: the digits as written, and the resolved paths.

        Raises:
            RefusedPathError: If it leads outside the roots, matches nothing, has a name in that place that is no
                number or one number twice, or a checkpoint lacks the file.
        """
        parts = Path(given).parts
        if given.count(CHECKPOINT) != 1:
            raise RefusedPathError(f"{quote(given)} has {CHECKPOINT} more than once")
        at = next(i for i, part in enumerate(parts) if CHECKPOINT in part)
        if any(_is_wild(part) for part in parts[: at + 1]) or ".." in parts[at:]:
            hint = "write out the folders before it"
            raise RefusedPathError(f"{quote(given)} has a wildcard before {CHECKPOINT}, or '..' behind it", hint)
        before, _, behind = parts[at].partition(CHECKPOINT)
        start = self._resolve(self.folder.joinpath(*parts[:at]), quote(given) + " ")
        found: dict[int, tuple[str, tuple[Path, ...]]] = {}
        try:
            budget = _Budget(MAX_ENTRIES)
            named = {
                entry.name[len(before) : len(entry.name) - len(behind)]: start / entry.name
                for entry in budget.entries(start)
                if entry.name.startswith(before) and entry.name.endswith(behind)
                if len(entry.name) > len(before) + len(behind) and not entry.name.startswith(".")
            }
            for name, path in sorted(named.items()):
                below = sorted(_expand(path, parts[at + 1 :], budget)) if parts[at + 1 :] else [path]
                step = _step(name, given)
                if step in found:
                    raise RefusedPathError(f"checkpoint {step} is there twice, as {found[step][0]!r} and {name!r}")
                if not below:
                    lacking = "/".join(parts[at + 1 :])
                    message = f"checkpoint {quote(path.name)} has no {quote(lacking)}"
                    raise RefusedPathError(message, "score it too, or take its folder away")
                found[step] = name, tuple(self._resolve(path, f"{quote(path.name)}, which matches, ") for path in below)
        except _SpentError:
            message = f"{quote(given)} looks through more than {MAX_ENTRIES} files"
            raise RefusedPathError(message, "name the folder more closely") from None
        if not found:
            raise RefusedPathError(f"no checkpoint matches {quote(given)}")
        return found

    def locate(self, given: str) -> Path:
        """The resolved path that a literal path stands for; it need not exist.

        Raises:
            RefusedPathError: If it leads outside the roots or is none.
        """
        if "://" in given:
            raise RefusedPathError(f"{quote(given)} is a URL, and only local files are read")
        if "\0" in given:
            raise RefusedPathError(f"{quote(given)} is no path")
        return self._resolve(self.folder / given, quote(given) + " ")

    def _resolve(self, path: Path, subject: str) -> Path:
        try:
            resolved = path.resolve()
        except (OSError, RuntimeError, ValueError):  # a loop of links is a RuntimeError before Python 3.13
            raise RefusedPathError(f"{subject}cannot be followed to a file") from None
        if self._holds(resolved):
            return resolved
        if self._holds(Path(os.path.normpath(path))):
            raise RefusedPathError(f"{subject}is a link that leads outside the root", _STAY)
        raise RefusedPathError(f"{subject}leads outside the root", _STAY)

    def _holds(self, path: Path) -> bool:
        return any(path.is_relative_to(root) for root in self.roots)


def _step(name: str, given: str) -> int:
    if not (name.isascii() and name.isdigit() and len(name) <= _STEP_DIGITS):
        hint = "checkpoints are ordered by their step: name them by it, or take the others away"
        raise RefusedPathError(f"{quote(name)} is no number, where {quote(given)} has {CHECKPOINT}", hint)
    return int(name)


class _SpentError(Exception):
    """The wildcard looked at too many entries."""


@dataclass(slots=True)
class _Budget:
    left: int

    def entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """What is in a folder; nothing where it cannot be listed."""
        found = []
        try:
            with os.scandir(folder) as listing:
                for entry in listing:
                    self.left -= 1
                    if self.left < 0:
                        raise _SpentError
                    found.append(entry)
        except OSError:
            return []
        return found


def _is_wild(text: str) -> bool:
    return any(character in text for character in "*?[")


def _expand(folder: Path, parts: tuple[str, ...], budget: _Budget) -> Iterator[Path]:
    """Matches below a folder, as a shell finds them: a wildcard passes over hidden names."""
    # `pathlib` and `glob` differ between Python versions in whether wildcards enter linked folders; here none does,
    # so that a link to its own folder is no maze.
    todo = [(folder, parts)]
    found = set()
    while todo:
        base, (part, *rest) = todo.pop()
        if not _is_wild(part):
            entries = [base / part] if os.path.lexists(base / part) else []
        elif part == "**":
            if rest:
                todo.append((base, tuple(rest)))
            for entry in budget.entries(base):
                if not entry.name.startswith("."):
                    if entry.is_dir(follow_symlinks=False):
                        todo.append((base / entry.name, (part, *rest)))
                    if not rest:
                        found.add(base / entry.name)
            continue
        else:
            entries = [
                base / entry.name
                for entry in budget.entries(base)
                if fnmatch.fnmatchcase(entry.name, part)
                and (part.startswith(".") or not entry.name.startswith("."))
                and (not rest or entry.is_dir(follow_symlinks=False))
            ]
        if rest:
            todo.extend((entry, tuple(rest)) for entry in entries)
        else:
            found.update(entries)
    yield from found
