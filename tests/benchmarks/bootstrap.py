"""1 000 draws on 100 000 samples, against gathering all indices at once as bootstraps usually do."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.processes import alternate

SAMPLES, DRAWS = 100_000, 1_000
BASE = f"""\
import numpy as np
rows = np.random.default_rng(0).random(({SAMPLES}, 7))
"""
OURS = """\
from pytest_vigate.evaluation.resampling import multinomial_weights
for weights in multinomial_weights(len(rows), draws={draws}, rng=np.random.default_rng(0)):
    weights @ rows
"""
# A tenth of the draws: all of them would take 5.6 GB.
PEER = """\
rng = np.random.default_rng(0)
rows[rng.integers(0, len(rows), ({draws}, len(rows)))].sum(axis=1)
"""


def run(folder: Path) -> None:
    """Print time and added peak memory of both."""
    scripts = (BASE, BASE + OURS.format(draws=DRAWS), BASE + PEER.format(draws=DRAWS // 10))
    base, ours, peer = alternate([[sys.executable, "-c", script] for script in scripts], runs=3, folder=folder)
    print(
        f"{DRAWS} draws on {SAMPLES} samples: {ours.seconds - base.seconds:.2f} s and "
        f"{ours.megabytes - base.megabytes:.0f} MB; gathering, {DRAWS // 10} draws: "
        f"{peer.seconds - base.seconds:.2f} s and {peer.megabytes - base.megabytes:.0f} MB"
    )
