"""What holds for every gate file, however broken: a gate, problems, or both, and never an exception."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pytest_vigate.gates import syntax
from pytest_vigate.gates.model import Gate
from pytest_vigate.gates.rules import read
from pytest_vigate.gates.schema import RESERVED, language, with_families
from reading import predicted

SCHEMA = Draft202012Validator(with_families([]))
EXAMPLE = (Path(__file__).parent / "example.yaml").read_text(encoding="utf-8")
root = syntax.compose(EXAMPLE.encode()).root
assert root is not None
GATE: dict[str, Any] = root.value


def words(node: Any) -> set[str]:
    """All keys and choices of the language."""
    if isinstance(node, dict):
        own = (
            {*node.get("properties", ()), *node.get("enum", ())} if isinstance(node.get("properties"), dict) else set()
        )
        return own.union(*map(words, node.values()))
    return set().union(*map(words, node)) if isinstance(node, list) else set()


WORDS = sorted(words(language()) | {word for _, word in RESERVED} | {"bbox.f1", "bbox", "skip", "<<", "", "$ref"})
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([*WORDS, "95%", "2027-02-30", "2027-01-31", "../..", "*.jsonl", "/**/*", "a\0", "https://x"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=12,
)
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def mutations(draw: st.DrawFn) -> Any:
    """The example with some of its pieces replaced, removed or added."""
    gate = copy.deepcopy(GATE)
    for _ in range(draw(st.integers(1, 3))):
        node: Any = gate
        for _ in range(draw(st.integers(0, 4))):
            inner = [value for value in (node.values() if isinstance(node, dict) else node) if value]
            inner = [value for value in inner if isinstance(value, (dict, list))]
            if not inner:
                break
            node = draw(st.sampled_from(inner))
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        grow, remove = draw(st.booleans()), draw(st.booleans())
        if isinstance(node, dict) and (grow or not keys):
            node[draw(st.sampled_from(WORDS))] = draw(VALUES)
        elif keys and remove:
            del node[draw(st.sampled_from(keys))]
        elif keys:
            node[draw(st.sampled_from(keys))] = draw(VALUES)
    return gate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def check(folder: Path, raw: bytes) -> tuple[Gate | None, bool]:
    """Read it; whether it has problems."""
    path = folder / "x.gate.yaml"
    path.write_bytes(raw)
    gate, problems = read(path, file="x.gate.yaml", roots=(folder,))
    assert list(problems) == sorted(problems)
    assert len(set(problems)) == len(problems)
    assert gate is not None or problems
    lines = raw.count(b"\n") + 1
    for problem in problems:
        assert 1 <= problem.line <= lines + raw.count(b"\r")
        assert problem.column >= 1
        assert problem.path.startswith("$")
        assert problem.message
        assert str(problem).isprintable() or not raw.isascii()
        assert len(str(problem).splitlines()) == 1
    return gate, bool(problems)


@SLOW
@given(st.binary(max_size=200))
@example(b"\xff\xfea\x00")
@example(b"%TAG ! tag:x,2000:\n---\n!a b")
@example(b"? ? ? [a]\n: b")
@example(b"&a [*a]")
@example(b"&a a: &a *a")
def test_arbitrary_bytes_are_read_or_refused(folder: Path, raw: bytes) -> None:
    check(folder, raw)


@SLOW
@given(st.text(alphabet="ab:-[]{},&*!|>'\"%@`#?~ \n\t.0159<=", max_size=120))
def test_arbitrary_text_is_read_or_refused(folder: Path, text: str) -> None:
    check(folder, text.encode())


@SLOW
@given(st.integers(0, len(EXAMPLE)), st.integers(0, 30), st.text(alphabet="ab:-[]{},&*!'\" \n\t.0", max_size=6))
def test_a_scratched_example_is_read_or_refused(folder: Path, start: int, length: int, put: str) -> None:
    check(folder, (EXAMPLE[:start] + put + EXAMPLE[start + length :]).encode())


@SLOW
@given(VALUES | mutations())
def test_what_the_schema_refuses_is_refused(folder: Path, value: Any) -> None:
    text = json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf")  # JSON is YAML, but for these
    document = syntax.compose(text.encode())
    _, refused = check(folder, text.encode())
    if document.root is None or not SCHEMA.is_valid(document.root.value):
        assert refused


@SLOW
@given(mutations())
def test_a_gate_without_problems_is_whole(folder: Path, value: Any) -> None:
    gate, refused = check(folder, json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf").encode())
    if not refused:
        assert gate is not None
        written = sum(len(several) if isinstance(several, list) else 1 for several in value["thresholds"].values())
        assert len(gate.thresholds) == written
        assert all(threshold.min is not None or threshold.max is not None for threshold in gate.thresholds)
        assert len({threshold.test_id for threshold in gate.thresholds}) == written
        assert predicted(gate).paths
