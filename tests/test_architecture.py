"""What import-linter cannot say: metric families are strangers to each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest_vigate

ROOT = Path(pytest_vigate.__file__).parent
#: What a family may import from its own room.
SHARED = {"base"}


def test_no_metric_family_imports_another() -> None:
    families = [path for path in (ROOT / "metrics").glob("*.py") if not path.stem.startswith("_")]
    for path in families:
        if path.stem in ("base", "documentation"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pytest_vigate.metrics."):
                module = str(node.module).rpartition(".")[2]
                assert module in SHARED or module.startswith("_"), f"{path.name} imports {node.module}"


def test_there_is_no_room_without_a_name() -> None:
    assert not [path for path in ROOT.rglob("*.py") if path.stem in ("utils", "helpers", "common", "misc")]
