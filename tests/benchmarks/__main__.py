"""Run all benchmarks, or those named: ``python -m benchmarks [NAME …]``."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

#: Name → module and function. Each runs in a process of its own: what one imports slows down the others.
BENCHMARKS: Mapping[str, tuple[str, str]] = {
    "startup": ("startup", "run"),
    "bootstrap": ("bootstrap", "run"),
    "gates": ("gates", "run"),
    "coco": ("coco", "run"),
    "large": ("coco", "run_large"),
    "bleu": ("texts", "run_bleu"),
    "chrf": ("texts", "run_chrf"),
    "many-texts": ("texts", "run_many"),
    "rouge": ("rouge", "run"),
    "meteor": ("meteor", "run"),
    "bertscore": ("bertscore", "run"),
    "fields": ("fields", "run"),
    "many-replies": ("replies", "run_many"),
    "hostile-replies": ("replies", "run_hostile"),
    "schema": ("schema", "run"),
    "events": ("events", "run"),
    "training-log": ("training", "run_log"),
    "checkpoints": ("training", "run_checkpoints"),
}


def main() -> int:
    """Run them in a temporary folder."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"unknown benchmark {unknown[0]!r}; known: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 4
    if len(names) > 1:
        return max(subprocess.run([sys.executable, "-m", "benchmarks", name], check=False).returncode for name in names)
    print(f"== {names[0]}", flush=True)
    module, function = BENCHMARKS[names[0]]
    with tempfile.TemporaryDirectory() as folder:
        getattr(importlib.import_module(f"benchmarks.{module}"), function)(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
