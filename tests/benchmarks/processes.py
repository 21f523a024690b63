"""Whole processes, timed from outside: what a CI job pays."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians over the runs of one command."""

    seconds: float
    megabytes: float
    """Peak resident memory of the process."""


def alternate(commands: Sequence[Sequence[str]], *, runs: int, folder: Path) -> list[Cost]:
    """Run commands in turn, A B A B …, so that a machine that drifts drifts for all of them.

    They find the benchmarks themselves as a package.

    Raises:
        RuntimeError: If a command fails: a fast failure is no speed.
    """
    found: list[list[tuple[float, float]]] = [[] for _ in commands]
    for _ in range(runs):
        for command, costs in zip(commands, found, strict=True):
            costs.append(_once(command, folder))
    return [Cost(*(statistics.median(column) for column in zip(*costs, strict=True))) for costs in found]


#: Starts a command and prints what it cost. A process of its own: at first a child has the memory of its parent.
_LAUNCH = """
import os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


def _once(command: Sequence[str], folder: Path) -> tuple[float, float]:
    # Compiled modules are kept, as they are for everybody's second run.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    launch = [sys.executable, "-S", "-c", _LAUNCH, *command]
    said = subprocess.run(launch, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout
    seconds, size, code = said.split()
    if code != "0":
        raise RuntimeError(f"exit code {code}: {' '.join(command)}")
    return float(seconds), int(size) * (1 if sys.platform == "darwin" else 1024) / 1e6


def compare(ours: Cost, theirs: Cost, peer: str) -> str:
    """One line: both costs and how many times faster we are."""
    return (
        f"{ours.seconds:.2f} s and {ours.megabytes:.0f} MB, {peer} {theirs.seconds:.2f} s and "
        f"{theirs.megabytes:.0f} MB: {theirs.seconds / ours.seconds:.1f} times as fast"
    )
