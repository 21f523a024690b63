"""Another run, which the judged one is compared with: its log, or a file of its hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_vigate.data.curves import Training, TrainingLog
from pytest_vigate.data.files import digest, inside, read_binary_head, shown
from pytest_vigate.data.hyperparameters import read_declared
from pytest_vigate.data.logs import builtin, read_training
from pytest_vigate.data.tables import Source

_PLAIN: Final = frozenset({".json", ".yaml", ".yml"})


@dataclass(frozen=True, slots=True, eq=False)
class OtherRun:
    """What another run declares.

    Args:
        file: As shown to the user.
        digest: ``sha256:…`` of what was read.
        declared: By dotted name.
        training: The run, where the file is its log.
    """

    file: str
    digest: str
    declared: Mapping[str, object]
    training: Training | None = None


def read_other(path: Path, roots: Sequence[Path]) -> OtherRun:
    """The hyperparameters in a file of them, or beside or in the log of a run.

    Args:
        path: Resolved, below a root.
        roots: Resolved folders that files may lie in.

    Raises:
        DataError: If the file cannot be read, or is neither.
    """
    allowed = tuple(roots) or (path.parent,)
    name = shown(Source("training", "", (), allowed), path)
    source = Source("training", name, (path,), allowed)
    resolved = inside(source, path)
    if path.suffix.lower() in _PLAIN and resolved.is_file():
        head = read_binary_head(source, path)
        if not any(reader.sniff(resolved, head) for reader in builtin()):
            source = Source("hyperparameters", name, (path,), allowed)
            declared = read_declared(source)
            return OtherRun(name, digest(source), declared)
    # where the other run was taken up again changes nothing of what it declares
    training = read_training(TrainingLog(source, on_resume="last"))
    return OtherRun(name, digest(training.source), training.hyperparameters, training)
