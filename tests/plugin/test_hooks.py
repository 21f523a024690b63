"""Third parties: metrics and readers from a conftest and from an installed plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from reading import Run
from worlds import hook_example, write_gate, write_jsonl, write_world


def test_metric_of_the_docstring_works_from_a_conftest(world: Path, run: Run) -> None:
    (world / "conftest.py").write_text(hook_example("pytest_vigate_metrics"), encoding="utf-8")
    head = (
        "vigate: 1\ndata: {predictions: predictions.jsonl, references: references.jsonl}\n"
        "metrics: {counting: {slack: 1}}\n"
    )
    write_gate(world, "thresholds:\n  counting.exact: {min: 100%}\n", head=head)
    run("-m", "counting").assert_outcomes(passed=1)


def test_reader_of_the_docstring_works_from_a_conftest(world: Path, run: Run) -> None:
    (world / "conftest.py").write_text(hook_example("pytest_vigate_readers"), encoding="utf-8")
    (world / "predictions.boxlog").write_text(
        "".join(f'{{"id": "car_{i:02d}.jpg", "boxes": [[100, 100, 300, 300]]}}\n' for i in range(8)), encoding="utf-8"
    )
    head = (
        "vigate: 1\ndata:\n"
        "  predictions: {path: predictions.boxlog, boxes: {order: xyxy, space: pixels}}\n"
        "  references: {path: references.jsonl, format: vi}\n"
    )
    ignoring = "metrics:\n  bbox: {labels: ignore}\nthresholds:\n  bbox.f1: {min: 100%}\n"
    write_gate(world, ignoring, head=head)
    run().assert_outcomes(passed=1)


def test_conftest_reaches_only_the_gates_below_it(pytester: pytest.Pytester, run: Run) -> None:
    gate = "vigate: 1\ndata: {predictions: predictions.jsonl, references: references.jsonl}\nthresholds:\n"
    for name in ("with", "without"):
        folder = pytester.mkdir(name)
        write_world(folder)
        write_gate(folder, "  counting.exact: {min: 10%}\n", head=gate, name=name)
    (pytester.path / "with" / "conftest.py").write_text(hook_example("pytest_vigate_metrics"), encoding="utf-8")
    run("with").assert_outcomes(passed=1)
    result = run()
    assert result.ret == 2
    result.stdout.fnmatch_lines(["without/without.gate.yaml:4:3: *: unknown score 'counting.exact'*"])


def test_installed_plugin_brings_in_its_metric(world: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    site = world / "site-packages"
    info = site / "counting-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "counting.py").write_text(hook_example("pytest_vigate_metrics"), encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[pytest11]\ncounting = counting\n", encoding="utf-8")
    monkeypatch.syspath_prepend(site)
    head = "vigate: 1\ndata: {predictions: predictions.jsonl, references: references.jsonl}\nthresholds:\n"
    write_gate(world, "  counting.exact: {min: 100%}\n", head=head)
    run().assert_outcomes(passed=1)


def test_two_metrics_of_one_name_are_refused(world: Path, run: Run) -> None:
    source = hook_example("pytest_vigate_metrics").replace('"counting"', '"bbox"')
    (world / "conftest.py").write_text(source, encoding="utf-8")
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    result = run()
    assert result.ret == 2
    result.stdout.fnmatch_lines(
        ["two plugins register 'bbox': pytest_vigate.metrics.bbox.BoxMatching and conftest.Counting; rename one"]
    )


@pytest.mark.parametrize("name", ["count.ing", "skip", "two words"])
def test_name_that_would_split_a_score_or_skip_a_test_is_refused(world: Path, run: Run, name: str) -> None:
    source = hook_example("pytest_vigate_metrics").replace('"counting"', f'"{name}"')
    (world / "conftest.py").write_text(source, encoding="utf-8")
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    expected = f"its name is {name!r}, expected letters, digits, '_' and '-', and no mark of pytest's"
    result = run()
    assert result.ret == 2
    assert f"conftest.Counting: {expected}" in result.outlines


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("[Counting()]", "pytest_vigate_metrics takes subclasses of Metric, found Counting(slack=0)"),
        (
            "[Broken]",
            "its parameters need defaults that fit and can be hashed; slack: expected int, got array, found []",
        ),
    ],
)
def test_answer_that_is_no_metric_is_refused_in_words(world: Path, run: Run, answer: str, problem: str) -> None:
    source = hook_example("pytest_vigate_metrics").replace("return [Counting]", f"return {answer}")
    source += "\n\nclass Broken(Counting):\n    name = 'broken'\n\n    def __init__(self):\n"
    source += "        object.__setattr__(self, 'slack', [])\n        self.__post_init__()\n"
    (world / "conftest.py").write_text(source, encoding="utf-8")
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    result = run()
    assert result.ret == 2
    assert any(line == f"conftest.{answer.strip('[]()')}: {problem}" for line in result.outlines)
    assert "Traceback" not in "\n".join(result.outlines)


DIALECT = """\
vigate: 1
data:
  predictions: {path: predictions.jsonl, boxes: at-signs}
  references: {path: references.jsonl, format: vi}
thresholds:
"""


def write_dialect(world: Path) -> None:
    """Predictions of the dents in the dialect of the docstring: six in place, one elsewhere, one reply broken."""
    replies = ["dent@97,97,292,292"] * 6 + ["nothing", "dent@"]
    write_jsonl(
        world / "predictions.jsonl",
        [{"image": f"car_{i:02d}.jpg", "raw_output": text} for i, text in enumerate(replies)],
    )


def test_box_preset_of_the_docstring_works_from_a_conftest(world: Path, run: Run) -> None:
    (world / "conftest.py").write_text(hook_example("pytest_vigate_box_presets"), encoding="utf-8")
    write_dialect(world)
    # 6 of 8 found, 7 of 8 read
    thresholds = (
        "  bbox.recall: [{min: 75%}, {min: 76%, id: more}]\n  coverage.parsed: [{min: 87%}, {min: 88%, id: more}]\n"
    )
    write_gate(world, thresholds, head=DIALECT)
    run().assert_outcomes(passed=2, failed=2)


def test_box_preset_reaches_only_the_gates_below_its_conftest(pytester: pytest.Pytester, run: Run) -> None:
    for name in ("with", "without"):
        folder = pytester.mkdir(name)
        write_world(folder)
        write_dialect(folder)
        write_gate(folder, "  bbox.f1: {min: 10%}\n", head=DIALECT, name=name)
    (pytester.path / "with" / "conftest.py").write_text(hook_example("pytest_vigate_box_presets"), encoding="utf-8")
    run("with").assert_outcomes(passed=1)
    result = run()
    assert result.ret == 2
    result.stdout.fnmatch_lines(["without/without.gate.yaml:3:49: *: unknown box preset 'at-signs'; known: *"])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            'Preset("qwen3-vl", Convention("xyxy", 1.0), read_at_signs)',
            "two plugins register 'qwen3-vl': pytest_vigate.data.presets.documents.Objects and conftest.read_at_signs; "
            "rename one",
        ),
        (
            'Preset("at signs", Convention("xyxy", 1.0), read_at_signs)',
            "conftest.read_at_signs: its name is 'at signs', expected letters, digits, '_', '-' and '.', and no mark "
            "of pytest's",
        ),
        (
            'Preset("at-signs", "xyxy", read_at_signs)',
            "conftest.read_at_signs: pytest_vigate_box_presets takes instances of Preset, of a name, a Convention and "
            "a rule, found Preset(name='at-signs', convention='xyxy', read=<function read_at_signs at *",
        ),
        (
            "Rule()",
            "conftest.Rule: pytest_vigate_box_presets takes instances of Preset, of a name, a Convention and a rule, "
            "found *",
        ),
        (
            'Preset("at-signs", Convention("xyxy", 1.0), Rule())',
            "conftest.Rule: the rule of 'at-signs' has to be hashable; unhashable type: 'Rule'",
        ),
    ],
)
def test_answer_that_is_no_box_preset_is_refused_in_words(world: Path, run: Run, answer: str, problem: str) -> None:
    source = hook_example("pytest_vigate_box_presets")
    whole = 'Preset("at-signs", Convention("xyxy", 1000.0), read_at_signs)'
    assert whole in source
    source += (
        "\n\nclass Rule:\n    name = 'rule'\n    __hash__ = None\n\n    def __call__(self, reply):\n        pass\n"
    )
    (world / "conftest.py").write_text(source.replace(whole, answer), encoding="utf-8")
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    result = run()
    assert result.ret == 2
    result.stdout.fnmatch_lines([problem.replace("[", "[[]")])
    assert "Traceback" not in "\n".join(result.outlines)
