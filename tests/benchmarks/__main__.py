"""Run all benchmarks, or those named: ``python -m benchmarks [NAME …]``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import bertscore, bootstrap, coco, gates, meteor, rouge, startup, texts

BENCHMARKS: Mapping[str, Callable[[Path], None]] = {
    "startup": startup.run,
    "bootstrap": bootstrap.run,
    "gates": gates.run,
    "coco": coco.run,
    "large": coco.run_large,
    "bleu": texts.run_bleu,
    "chrf": texts.run_chrf,
    "many-texts": texts.run_many,
    "rouge": rouge.run,
    "meteor": meteor.run,
    "bertscore": bertscore.run,
}


def main() -> int:
    """Run them in a temporary folder."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"unknown benchmark {unknown[0]!r}; known: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 4
    for name in names:
        print(f"== {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            BENCHMARKS[name](Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
