"""Reading what a run leaves behind."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_vigate.data.tables import Source
from pytest_vigate.gates.model import Gate

Run = Callable[..., pytest.RunResult]


def verdicts(record: dict[str, Any]) -> dict[str, str]:
    """Verdict word by node id."""
    return {item["id"]: item["verdict"] for gate in record["gates"] for item in gate["verdicts"]}


def cases(path: Path) -> dict[str, ElementTree.Element]:
    """Test cases of a JUnit file by name."""
    return {str(case.get("name")): case for case in ElementTree.parse(path).getroot().iter("testcase")}


def properties(case: ElementTree.Element) -> dict[str, str]:
    """Properties of a test case."""
    return {str(item.get("name")): str(item.get("value")) for item in case.iter("property")}


def predicted(gate: Gate) -> Source:
    """How a gate declares its predictions."""
    assert gate.data.predictions is not None
    return gate.data.predictions
