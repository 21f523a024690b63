"""1 000 gate files of 5 thresholds against 1 000 test modules of 5 empty tests."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.processes import alternate
from worlds import write_gate, write_world

FILES = 1000
THRESHOLDS = "".join(f"  bbox.{score}: {{min: 1%}}\n" for score in ("f1", "precision", "recall", "iou", "acc"))


def run(folder: Path) -> None:
    """Print how many times the time of the modules the gates take."""
    gates, modules = folder / "gates", folder / "modules"
    gates.mkdir()
    modules.mkdir()
    write_world(gates, right=1, wrong=1)
    for i in range(FILES):
        write_gate(gates, THRESHOLDS, name=f"gate_{i:04d}")
        tests = "\n".join(f"def test_{j}():\n    pass\n" for j in range(5))
        (modules / f"test_module_{i:04d}.py").write_text(tests, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ours, theirs = alternate([[*command, "gates"], [*command, "modules"]], runs=3, folder=folder)
    print(
        f"{FILES} gate files {ours.seconds:.2f} s, {FILES} test modules {theirs.seconds:.2f} s: "
        f"{ours.seconds / theirs.seconds:.2f} times their time"
    )
