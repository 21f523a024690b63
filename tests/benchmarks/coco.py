"""COCO-sized data, every score of boxes gated, against processes that compute average precision and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.processes import Cost, alternate, compare
from pytest_vigate.metrics import builtin

GENERATOR = Path(__file__).parents[3] / "shared" / "tools" / "make_coco.py"
#: 182 404 detections.
IMAGES = 5000
FAMILIES = ("bbox", "coco", "confusion")
PYCOCOTOOLS = """\
import sys
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
truth = COCO(sys.argv[1])
evaluation = COCOeval(truth, truth.loadRes(sys.argv[2]), "bbox")
evaluation.evaluate()
evaluation.accumulate()
evaluation.summarize()
"""
HOTCOCO = """\
import sys
from hotcoco import COCO, COCOeval
truth = COCO(sys.argv[1])
evaluation = COCOeval(truth, truth.load_res(sys.argv[2]), "bbox")
evaluation.evaluate()
evaluation.accumulate()
evaluation.summarize()
"""


def run(folder: Path) -> None:
    """Print the ratios, and our peak memory."""
    if not GENERATOR.exists():
        print(f"skipped: the generator is not at {GENERATOR}")
        return
    (folder / "pycocotools_.py").write_text(PYCOCOTOOLS, encoding="utf-8")
    (folder / "hotcoco_.py").write_text(HOTCOCO, encoding="utf-8")
    make(folder, IMAGES)
    files = [f"gt{IMAGES}.json", f"dt{IMAGES}.json"]
    ours, theirs, rust = alternate(
        [
            gate(folder, IMAGES),
            [sys.executable, "pycocotools_.py", *files],
            [sys.executable, "hotcoco_.py", *files],
        ],
        runs=3,
        folder=folder,
    )
    print(compare(ours, theirs, "pycocotools"))
    ratio = ours.seconds / rust.seconds
    print(f"hotcoco {rust.seconds:.2f} s and {rust.megabytes:.0f} MB: we take {ratio:.1f} times as long")

    only = gate(folder, IMAGES, families=("coco",))
    without = gate(folder, IMAGES, families=("coco",), intervals="{draws: 0}")
    (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
    nothing = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_nothing.py"]
    whole, point, start = alternate([only, without, nothing], runs=3, folder=folder)
    scoring, intervals = point.seconds - start.seconds, whole.seconds - point.seconds
    print(f"coco alone: reading and scoring {scoring:.2f} s, the intervals of its 12 scores {intervals:.2f} s more")


def run_large(folder: Path) -> None:
    """Print how time and memory grow when there is ten times as much."""
    if not GENERATOR.exists():
        print(f"skipped: the generator is not at {GENERATOR}")
        return
    costs: list[Cost] = []
    for images in (IMAGES, 10 * IMAGES):
        make(folder, images)
        costs += alternate([gate(folder, images)], runs=2, folder=folder)
    small, large = costs
    print(
        f"{IMAGES} pictures {small.seconds:.2f} s and {small.megabytes:.0f} MB, {10 * IMAGES} pictures "
        f"{large.seconds:.2f} s and {large.megabytes:.0f} MB: {large.seconds / small.seconds:.1f} times the time"
    )


def make(folder: Path, images: int) -> None:
    """Write ground truth and results."""
    subprocess.run([sys.executable, GENERATOR, str(images), str(folder)], check=True)


def gate(folder: Path, images: int, *, families: tuple[str, ...] = FAMILIES, intervals: str = "{}") -> list[str]:
    """Write a gate on every score of the families; the command that judges it."""
    lines = []
    for cls in builtin():
        for score in cls.scores if cls.name in families else ():
            bound = "max: 99.9%" if score.direction == "lower" else "min: 0.01%"
            cell = ", where: {actual: c1, predicted: c1}" if score.picks else ""
            lines.append(f"  {cls.name}.{score.name}: {{{bound}{cell}}}\n")
    name = f"{'_'.join(families)}{images}{'' if intervals == '{}' else '_points'}.gate.yaml"
    (folder / name).write_text(
        "vigate: 1\n"
        f"data: {{predictions: {{path: dt{images}.json, format: coco}}, "
        f"references: {{path: gt{images}.json, format: coco}}}}\n"
        f"intervals: {intervals}\n"
        "thresholds:\n" + "".join(lines),
        encoding="utf-8",
    )
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml=gates.xml", name]
