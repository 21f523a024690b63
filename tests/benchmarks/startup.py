"""What every pytest session pays for having the plugin installed."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

SCRIPT = """\
import time
import pytest
start = time.perf_counter()
import pytest_vigate.plugin
print((time.perf_counter() - start) * 1000)
"""


def run(folder: Path) -> None:
    """Print the median time of importing the plugin once pytest is loaded."""
    times = [
        float(subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout)
        for _ in range(9)
    ]
    print(f"import pytest_vigate.plugin: {statistics.median(times):.2f} ms (median of {len(times)})")
