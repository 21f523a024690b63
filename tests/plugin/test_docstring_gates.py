"""The gate in every metric's docstring is run."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import pytest

from pytest_vigate.metrics import builtin
from pytest_vigate.metrics.base import Metric
from reading import Run
from worlds import write_answers, write_coco, write_replies, write_run, write_world

#: What the examples need.
MARKS = {"bertscore": [pytest.mark.bertscore]}


@pytest.mark.parametrize(
    "metric", [pytest.param(metric, marks=MARKS.get(metric.name, []), id=metric.name) for metric in builtin()]
)
def test_gate_example_judges_its_family(metric: type[Metric], pytester: pytest.Pytester, run: Run) -> None:
    write_world(pytester.path, right=8, wrong=0, label="dent")
    write_coco(pytester.path, scores=[0.9, 0.1] * 8)
    write_answers(pytester.path)
    write_replies(pytester.path)
    write_run(pytester.path)
    block = re.search(r"```yaml\n(.*?)\n *```", inspect.cleandoc(metric.__doc__ or ""), flags=re.DOTALL)
    assert block is not None
    path = Path(pytester.path / "docstring.gate.yaml")
    path.write_text(textwrap.dedent(block[1]), encoding="utf-8")
    result = run("-m", metric.name)
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] >= 1
