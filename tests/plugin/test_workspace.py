"""What a gate lets a metric use beside the data: files that parameters name, and pytest's cache folder."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reading import Run
from worlds import write_gate

HEAD = "vigate: 1\ndata: {predictions: predictions.jsonl, references: references.jsonl}\n"
THRESHOLD = "thresholds:\n  listed.share: {min: 50%}\n"
#: Share of samples that a file lists by id; counts in the cache how often it was worked out.
LISTED = """
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pytest_vigate.metrics.base import Additive, File, FileOrName, Score, Statistics, ratio


@dataclass(frozen=True)
class Listed(Additive):
    name: ClassVar[str] = "listed"
    scores: ClassVar[tuple[Score, ...]] = (Score("share", "samples that are listed"),)

    #: ids, one a line
    ids: File | None = None
    #: a file, or a name
    model: FileOrName = "none"

    def statistics(self, data):
        if data.workspace.cache is not None:
            count = data.workspace.cache / "count"
            count.write_text(f"{int(count.read_text()) + 1 if count.exists() else 1}")
        data.workspace.tell("half of the ids")
        ids = Path(self.ids).read_text().split() if self.ids else []
        values = np.array([[name in ids, 1.0] for name in data.ids])
        return Statistics(("listed", "all"), values, np.arange(len(data)), len(data), notes=(f"model {self.model}",))

    def formula(self, sums):
        return ratio(sums[:, :1], sums[:, 1:])


def pytest_vigate_metrics(config):
    return [Listed]
"""


@pytest.fixture
def listed(world: Path) -> Path:
    (world / "conftest.py").write_text(LISTED, encoding="utf-8")
    folder = world / "gates"
    folder.mkdir()
    for name in ("predictions.jsonl", "references.jsonl"):
        (world / name).rename(folder / name)
    (folder / "ids.txt").write_text("".join(f"car_{i:02d}.jpg\n" for i in range(8)), encoding="utf-8")
    return folder


def test_file_of_a_parameter_is_found_beside_the_gate(listed: Path, run: Run) -> None:
    write_gate(listed, THRESHOLD, head=f"{HEAD}metrics: {{listed: {{ids: ids.txt}}}}\n")
    run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("parameter", "given", "problem"),
    [
        ("ids", "../../ids.txt", "'../../ids.txt' leads outside the root; keep it below the root, *"),
        ("model", "../../model", "'../../model' leads outside the root; keep it below the root, *"),
        ("ids", "https://example.org/ids.txt", "'https://example.org/ids.txt' is a URL, and only local files are read"),
    ],
)
def test_file_of_a_parameter_stays_below_the_root(
    listed: Path, run: Run, parameter: str, given: str, problem: str
) -> None:
    write_gate(listed, THRESHOLD, head=f"{HEAD}metrics:\n  listed:\n    {parameter}: {given}\n")
    result = run()
    assert result.ret == 2
    result.stdout.fnmatch_lines([f"gates/car.gate.yaml:5:*: $.metrics.listed.{parameter}: {problem}"])


def test_name_is_no_file(listed: Path, record: Callable[..., dict[str, Any]]) -> None:
    write_gate(listed, THRESHOLD, head=f"{HEAD}metrics: {{listed: {{ids: ids.txt, model: some/name}}}}\n")
    (gate,) = record()["gates"]
    assert gate["verdicts"][0]["notes"] == ["model some/name"]


def test_cache_lies_in_that_of_pytest_and_can_be_left_out(listed: Path, run: Run, pytester: pytest.Pytester) -> None:
    write_gate(listed, THRESHOLD, head=f"{HEAD}metrics: {{listed: {{ids: ids.txt}}}}\n")
    count = pytester.path / ".pytest_cache" / "d" / "vigate" / "count"
    run("--vigate-no-cache").assert_outcomes(passed=1)
    run("-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert not count.exists()
    run()
    run()
    assert count.read_text() == "2"


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo terminals")
def test_long_work_is_told_on_a_terminal_alone(listed: Path, run: Run) -> None:
    import pty

    write_gate(listed, THRESHOLD, head=f"{HEAD}metrics: {{listed: {{ids: ids.txt}}}}\n")
    assert "half of the ids" not in str(run().stdout)
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-m", "pytest"], cwd=listed.parent, stdout=theirs, stdin=theirs) as process:
        os.close(theirs)
        printed = b""
        with contextlib.suppress(OSError):  # Linux's way of saying that the other end is closed
            while part := os.read(ours, 4096):
                printed += part
        os.close(ours)
    assert process.returncode == 0
    assert b"half of the ids" in printed


def test_gate_is_judged_where_no_cache_can_be_written(listed: Path, run: Run) -> None:
    write_gate(listed, THRESHOLD, head=f"{HEAD}metrics: {{listed: {{ids: ids.txt}}}}\n")
    (listed.parent / ".pytest_cache").write_text("a file", encoding="utf-8")
    run("-W", "ignore::pytest.PytestCacheWarning").assert_outcomes(passed=1)
