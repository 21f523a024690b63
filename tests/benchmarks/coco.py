"""5 000 pictures, 182 404 detections: a whole gated run against a process that only runs pycocotools."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.processes import alternate, compare

GENERATOR = Path(__file__).parents[3] / "shared" / "tools" / "make_coco.py"
IMAGES = 5000
PEER = """\
import sys
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
truth = COCO(sys.argv[1])
evaluation = COCOeval(truth, truth.loadRes(sys.argv[2]), "bbox")
evaluation.evaluate()
evaluation.accumulate()
evaluation.summarize()
"""


def run(folder: Path) -> None:
    """Print the ratio, and our peak memory."""
    if not GENERATOR.exists():
        print(f"skipped: the generator is not at {GENERATOR}")
        return
    subprocess.run([sys.executable, GENERATOR, str(IMAGES), str(folder)], check=True)
    truth, results = f"gt{IMAGES}.json", f"dt{IMAGES}.json"
    scores = ("f1", "iou", "precision", "recall")
    (folder / "speed.gate.yaml").write_text(
        "vigate: 1\n"
        f"data: {{predictions: {{path: {results}, format: coco}}, references: {{path: {truth}, format: coco}}}}\n"
        "thresholds:\n" + "".join(f"  bbox.{score}: {{min: 1%}}\n" for score in scores),
        encoding="utf-8",
    )
    (folder / "peer.py").write_text(PEER, encoding="utf-8")
    ours = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml=gates.xml", "speed.gate.yaml"]
    ours_cost, theirs = alternate([ours, [sys.executable, "peer.py", truth, results]], runs=3, folder=folder)
    print(compare(ours_cost, theirs, "pycocotools"))
