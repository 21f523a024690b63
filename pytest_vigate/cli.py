"""`vigate`: what can be asked without judging anything.

The commands run inside pytest's own start-up, so that installed plugins and ``conftest.py`` files bring in their
families and readers just as they do in a run; but for ``pull``, which asks a platform and knows neither.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_vigate import __version__
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.errors import DataError, GateFileError, PluginError, UnmeasurableError, did_you_mean
from pytest_vigate.evaluation.cache import Loaded, Session
from pytest_vigate.evaluation.loading import Loader
from pytest_vigate.evaluation.plan import Plan, read_plan
from pytest_vigate.gates.schema import FamilyDescription, ScoreDescription, with_families
from pytest_vigate.metrics import documentation
from pytest_vigate.metrics.base import Metric
from pytest_vigate.nodes import registries, roots, shown, workspace
from pytest_vigate.plugin import SUFFIXES
from pytest_vigate.pull import UsageError, pull_vi
from pytest_vigate.reports import escape
from pytest_vigate.verdicts import judge

Command = Callable[[pytest.Config, argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Words after ``vigate``; the process's own if None.

    Returns:
        0 if all is well, 1 if a command found something wrong, 2 if a gate file has problems, 4 for wrong usage.
    """
    options = _parser().parse_args(arguments)
    return options.fetch(options) if options.fetch else _within_pytest(options.command, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("vigate", description="Quality gates for vision-language models.")
    parser.add_argument("--version", action="version", version=f"pytest-vigate {__version__}")
    parser.set_defaults(fetch=None)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    lint = commands.add_parser("lint", help="check gate files, without judging")
    lint.add_argument("paths", nargs="+", metavar="PATH", help="gate files, or folders to search for them")
    lint.add_argument(
        "--data",
        action="store_true",
        help="also read the data, join both sides and score them once, without intervals: tell what cannot be measured",
    )
    lint.set_defaults(command=_lint)
    schema = commands.add_parser("schema", help="print the JSON Schema of gate files, for editors")
    schema.set_defaults(command=_schema, paths=[])
    metrics = commands.add_parser("metrics", help="list the metric families, or print the page of one")
    metrics.add_argument("name", nargs="?", metavar="NAME", help="family to print the page of")
    metrics.set_defaults(command=_metrics, paths=[])
    pull = commands.add_parser("pull", help="write what a platform knows of a training run to a file")
    platforms = pull.add_subparsers(title="platforms", required=True, metavar="PLATFORM")
    vi = platforms.add_parser(
        "vi",
        help="Datature Vi: the evaluation metrics of every checkpoint",
        description="Write the evaluation metrics of every checkpoint of a run of Datature Vi, and the facts of the "
        "run, to a JSON file that data.training reads. The secret key and the organization come from "
        "DATATURE_VI_SECRET_KEY and DATATURE_VI_ORGANIZATION_ID in the environment.",
    )
    vi.add_argument("run", metavar="RUN", help="id of the run")
    vi.add_argument("--output", type=Path, metavar="FILE", help="file to write; vi-RUN.json if not given")
    vi.set_defaults(fetch=_pull_vi)
    return parser


def _within_pytest(command: Command, options: argparse.Namespace) -> int:
    """Run a command with a configured pytest: plugins loaded, conftests beside the paths read."""

    class Runner:
        @pytest.hookimpl(tryfirst=True)
        def pytest_cmdline_main(self, config: pytest.Config) -> int:
            # The first result ends the hook: nothing is collected and nothing is run.
            return command(config, options)

    # pytest loads the conftests beside the paths it is given. Options of the user's own configuration are for runs.
    paths = [str(path) for path in _gate_files(options.paths)]
    return int(pytest.main(["--override-ini=addopts=", *paths], plugins=[Runner()]))


def _lint(config: pytest.Config, options: argparse.Namespace) -> int:
    worst = 0
    files = list(_gate_files(options.paths))
    for name in options.paths:
        if not Path(name).exists():
            _complain(f"{name}: there is no such file or folder")
            worst = 4
        elif Path(name).is_file() and not name.endswith(SUFFIXES):
            _complain(f"{name}: pytest does not collect a gate of this name; call it *{' or *'.join(SUFFIXES)}")
            worst = 4
    if not files and not worst:
        _complain(f"{', '.join(options.paths)}: no gate file found; they are named *{' or *'.join(SUFFIXES)}")
        worst = 5
    pytest_session = pytest.Session.from_config(config)
    session = Session(version=__version__)
    for path in files:
        name = shown(path, config.invocation_params.dir)
        try:
            # As a run would: a conftest reaches the gates beside and below it.
            known = registries(pytest_session.gethookproxy(path.parent), config)
            plan = read_plan(
                path,
                file=name,
                roots=roots(config),
                metrics=known.metrics,
                formats=tuple(known.readers),
                presets=known.presets,
            )
            data = ""
            if options.data:
                loader = Loader(known.readers, known.presets, workspace(config))
                if reasons := _unmeasurable(plan, session, loader):
                    for reason in reasons:
                        _complain(f"{name}: {reason}")
                    worst = max(worst, 1)
                    continue
                data = "".join(f", {part}" for part in _data_summary(plan, session, loader))
            print(f"{name}: {len(plan.checks)} thresholds{data}")
        except (GateFileError, PluginError) as error:
            _complain(str(error))
            worst = max(worst, 2)
        except UnmeasurableError as error:
            _complain(f"{name}: {error}")
            worst = max(worst, 1)
    return worst


def _gate_files(paths: Sequence[str]) -> Iterator[Path]:
    """Gate files named or below the folders named, in order, each once."""
    seen: set[Path] = set()
    for path in map(Path, paths):
        below = sorted(file for suffix in SUFFIXES for file in path.rglob(f"*{suffix}")) if path.is_dir() else [path]
        for file in below:
            absolute = file.absolute()
            if file.is_file() and absolute not in seen:
                seen.add(absolute)
                yield absolute


def _unmeasurable(plan: Plan, session: Session, loader: Loader) -> tuple[str, ...]:
    """Why thresholds would be unmeasurable in a run, each reason once. No interval is drawn, and no bound counts."""
    gate = replace(plan.gate, intervals=replace(plan.gate.intervals, draws=0))
    today = dt.datetime.now(dt.UTC).date()
    reasons: dict[str, None] = {}
    for check in plan.checks:
        try:
            slices, notes = _load(plan, check.metric, session, loader).slices(check, gate)
            verdict, _ = judge(check, slices, level=gate.intervals.level, signature="", notes=notes, today=today)
        except UnmeasurableError as error:
            reasons[str(error)] = None
        else:
            if verdict["verdict"] == "unmeasurable":
                reasons[verdict["message"]] = None
    return tuple(reasons)


def _load(plan: Plan, metric: Metric, session: Session, loader: Loader) -> Loaded:
    metrics = tuple(plan.families.values())
    return session.load(plan.gate.data, evidence=metric.evidence, loader=loader, metrics=metrics)


def _data_summary(plan: Plan, session: Session, loader: Loader) -> Iterator[str]:
    """What was read, one piece a kind of evidence that the gate's families look at."""
    for evidence, metric in {metric.evidence: metric for metric in plan.families.values()}.items():
        dataset = _load(plan, metric, session, loader).dataset
        match evidence:
            case "samples":
                yield _samples_summary(plan, dataset)
            case "run":
                yield f"a run of {len(dataset)} logged steps"
            case "reported":
                yield "scores that another tool reported"
            case "checkpoints":
                yield f"{len(dataset)} samples over checkpoints"


def _samples_summary(plan: Plan, dataset: Dataset) -> str:
    """What was read and joined, down to the boxes that the gate's families need."""
    boxes = ""
    if any("boxes" in metric.needs for metric in plan.families.values()):
        predicted, referenced = dataset.predictions.boxes, dataset.references.boxes
        boxes = f", {len(predicted.label)} predicted and {len(referenced.label)} referenced boxes"
        if failures := dataset.predictions.failures:
            boxes += f", malformed replies: {len(failures)}"
    answered = int((dataset.predictions.answered & dataset.references.present).sum())
    return f"{len(dataset)} samples, {answered} with a prediction{boxes}"


def _schema(config: pytest.Config, options: argparse.Namespace) -> int:
    families = registries(config.hook, config).metrics
    print(json.dumps(with_families(_describe(cls) for cls in families.values()), indent=2))
    return 0


def _describe(cls: type[Metric]) -> FamilyDescription:
    return FamilyDescription(
        name=cls.name,
        doc=(cls.__doc__ or "").strip().partition("\n")[0],
        parameters={item.name: dict(item.schema) for item in documentation.parameters(cls)},
        scores=tuple(
            ScoreDescription(
                score.name, score.doc, score.low, score.high, score.direction, documentation.bands(score).capitalize()
            )
            for score in cls.scores
        ),
    )


def _metrics(config: pytest.Config, options: argparse.Namespace) -> int:
    families = registries(config.hook, config).metrics
    if options.name is None:
        for name, cls in sorted(families.items()):
            print(f"{name}: {(cls.__doc__ or '').strip().partition(chr(10))[0]}")
            named = [*(score.name for score in cls.scores), *(["NAME"] if cls.further else [])]
            print(f"    {', '.join(f'{name}.{score}' for score in named)}")
        return 0
    if options.name not in families:
        hint = did_you_mean(options.name, tuple(families)) or f"known: {', '.join(sorted(families))}"
        _complain(f"unknown metric {options.name!r}; {hint}")
        return 4
    print(documentation.page(families[options.name]), end="")
    return 0


def _pull_vi(options: argparse.Namespace) -> int:
    try:
        print(pull_vi(options.run, options.output or Path(f"vi-{options.run}.json")))
    except UsageError as error:
        _complain(str(error))
        return 4
    except DataError as error:
        _complain(str(error))
        return 1
    return 0


def _complain(text: str) -> None:
    print("\n".join(escape.line(line, longest=escape.MESSAGE) for line in text.split("\n")), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
