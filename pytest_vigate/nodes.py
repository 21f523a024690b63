"""Collector and items: a gate file becomes a node of pytest's tree, each of its thresholds a test item."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from pytest_vigate import __version__
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.dataset import Workspace
from pytest_vigate.data.presets import Preset
from pytest_vigate.data.readers import Reader
from pytest_vigate.diagnosis import diagnose
from pytest_vigate.errors import GateFileError, PluginError, UnmeasurableError
from pytest_vigate.evaluation.cache import Family, Session, signature
from pytest_vigate.evaluation.loading import DataFile, Loader
from pytest_vigate.evaluation.plan import Check, Plan, read_plan
from pytest_vigate.gates.rules import FAMILY_NAME, PYTEST_MARKS
from pytest_vigate.metrics.base import Metric, default
from pytest_vigate.reports import escape, failure, junit, record
from pytest_vigate.verdicts import Verdict, judge, plain_value, unmeasurable

#: What this process has loaded and scored.
SESSION = pytest.StashKey[Session]()
#: Markers that this run has registered.
MARKERS = pytest.StashKey[set[str]]()
#: Today in UTC; a process that passes midnight decides all its waivers on one date.
TODAY = pytest.StashKey[dt.date]()

#: Names of box presets: those of models have dots.
PRESET_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")

Named = TypeVar("Named", bound=type[Metric] | Reader | Preset)


class NotPassedError(Exception):
    """Carries a verdict from the item to its report; `ThresholdItem.repr_failure` makes the prose."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(escape.line(verdict["message"], longest=escape.MESSAGE))
        self.verdict = verdict


class GateFile(pytest.File):
    """A ``*.gate.yaml`` file. Collecting reads the gate file only, never data."""

    vigate_gate = True
    plan: Plan
    known: Registries

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._described: dict[str, dict[str, Any]] = {}
        self._files: dict[DataFile, dict[str, Any]] = {}

    def collect(self) -> Iterator[ThresholdItem]:
        """One item a threshold.

        Raises:
            CollectError: With all problems of the file; pytest then exits with 2.
        """
        try:
            self.known = registries(self.ihook, self.config)
            self.plan = read_plan(
                self.path,
                file=shown(self.path, self.config.rootpath),
                roots=roots(self.config),
                metrics=self.known.metrics,
                formats=tuple(self.known.readers),
                presets=self.known.presets,
            )
        except (GateFileError, PluginError) as error:
            raise self.CollectError(str(error)) from error
        for check in self.plan.checks:
            yield ThresholdItem.from_parent(self, name=check.threshold.test_id, check=check)

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The gate as plain values, for the run record; its thresholds share them."""
        gate = self.plan.gate
        values: dict[str, Any] = record.plain(
            {
                "path": gate.file,
                "name": gate.name,
                "description": gate.description,
                "digest": gate.digest,
                "model": gate.model,
                "unit": gate.data.unit,
                "seed": gate.intervals.seed,
                "intervals": {
                    "draws": gate.intervals.draws,
                    "level": gate.intervals.level,
                    "cluster": gate.intervals.cluster,
                    "drawn": gate.drawn,
                },
            }
        )
        return values

    def describe_files(self, files: Sequence[DataFile]) -> list[dict[str, Any]]:
        """The data as plain values; thresholds that could read it share them."""
        return [self._files.setdefault(file, asdict(file)) for file in files]

    def describe(self, family: Family) -> dict[str, Any]:
        """A family as plain values; thresholds of one family share them."""
        if family.name not in self._described:
            self._described[family.name] = record.plain(_family(family))
        return self._described[family.name]


class ThresholdItem(pytest.Item):
    """One threshold. `setup` judges it; an unmeasurable score is an error there, a missed bound fails `runtest`."""

    parent: GateFile

    def __init__(self, *, check: Check, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check = check
        self.vigate_outcome: dict[str, Any] | None = None
        """Verdict and gate as plain values, once judged."""
        threshold = check.threshold
        known = self.config.stash.setdefault(MARKERS, {"vigate"})
        for marker in dict.fromkeys(("vigate", threshold.family, *threshold.tags)):
            if marker not in known:  # registered once, so that --strict-markers knows it
                self.config.addinivalue_line("markers", f"{marker}: thresholds of gate files")
                known.add(marker)
            self.add_marker(marker)

    def setup(self) -> None:
        """Judge.

        Raises:
            NotPassedError: If the score is unmeasurable.
        """
        gate = self.parent.plan.gate
        session = self.config.stash.get(SESSION, None)
        if session is None:
            session = Session(version=__version__)
            self.config.stash[SESSION] = session
        today = self.config.stash.setdefault(TODAY, dt.datetime.now(dt.UTC).date())
        files: Sequence[DataFile] = ()
        families: list[dict[str, Any]] = []
        try:
            known = self.parent.known
            loader = Loader(known.readers, known.presets, workspace(self.config))
            families_asked = tuple(self.parent.plan.families.values())
            loaded = session.load(gate.data, evidence=self.check.metric.evidence, loader=loader, metrics=families_asked)
            files = loaded.files
            family = loaded.family(self.check.threshold.family, self.check.metric, gate)
            files = loaded.files
            families = [self.parent.describe(family)]
            slices, notes = loaded.slices(self.check, gate)
            verdict, decided = judge(
                self.check,
                slices,
                level=gate.intervals.level,
                signature=family.signature,
                notes=notes,
                today=today,
            )
            if verdict["verdict"] not in ("passed", "unmeasurable"):
                diagnose(self.check, decided, verdict, families=self.parent.plan.families, beside=loaded.beside)
        except UnmeasurableError as error:
            named = signature(self.check.metric, {}, version=__version__)
            verdict = unmeasurable(self.check, str(error), level=gate.intervals.level, signature=named)
        gate_values = {
            **self.parent.plain,
            "data": self.parent.describe_files(files),
            "families": families,
        }
        self.vigate_outcome = {"verdict": record.plain(verdict), "gate": gate_values}
        others = [pair for pair in self.user_properties if not pair[0].startswith("vigate.")]
        self.user_properties[:] = [*others, *junit.properties(verdict)]  # a rerun judges again
        if verdict["verdict"] == "unmeasurable":
            raise NotPassedError(verdict)

    def runtest(self) -> None:
        """Fail unless the verdict is passed; the report turns warned and waived into statuses of their own.

        Raises:
            NotPassedError: With the verdict.
        """
        if self.vigate_outcome is not None and self.vigate_outcome["verdict"]["verdict"] != "passed":
            raise NotPassedError(self.vigate_outcome["verdict"])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The verdict in words; anything else is a defect of ours and keeps its stack."""
        if isinstance(excinfo.value, NotPassedError) and not self.config.getoption("fulltrace", False):
            return failure.text(excinfo.value.verdict, command=self.command)
        return super().repr_failure(excinfo, style=style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The threshold's own line of the gate file, and a title."""
        # A title that ended the node id would be printed with its dots as "::" under -v.
        title = f"{self.name} in {self.parent.name}"
        return self.path, self.check.threshold.positions[""].line - 1, title

    @property
    def command(self) -> str:
        """The shell command that judges just this threshold again."""
        path = shown(self.path, self.config.invocation_params.dir)
        return f"pytest {shlex.quote(f'{path}::{self.name}')}"


def shown(path: Path, start: Path) -> str:
    """A path as users see it: relative, with slashes."""
    try:
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def roots(config: pytest.Config) -> tuple[Path, ...]:
    """Folders that data may lie in, links resolved."""
    return tuple(Path(path).resolve() for path in (config.rootpath, *config.getini("vigate_data_roots")))


def workspace(config: pytest.Config) -> Workspace:
    """What metrics may use: pytest's cache folder, and the terminal where there is one."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    capture: Any = config.pluginmanager.get_plugin("capturemanager")

    def tell(text: str) -> None:
        with contextlib.nullcontext() if capture is None else capture.global_and_fixture_disabled():
            reporter.rewrite(escape.line(text, longest=escape.MESSAGE), erase=True)

    cache = getattr(config, "cache", None)  # "-p no:cacheprovider" leaves none
    kept = None
    if cache is not None and not config.getoption("vigate_no_cache"):
        with contextlib.suppress(OSError):  # where pytest cannot write, neither do we
            kept = Path(cache.mkdir("vigate"))
    told = reporter is not None and reporter.isatty
    return Workspace(kept, tell) if told else Workspace(kept)


class Registries(NamedTuple):
    """What plugins and conftests bring in, by name."""

    metrics: dict[str, type[Metric]]
    readers: dict[str, Reader]
    presets: dict[str, Preset]


def registries(hook: Any, config: pytest.Config) -> Registries:
    """Metric families, readers and box presets by name, as a hook caller's plugins and conftests bring them in.

    Raises:
        PluginError: If one of them cannot be used, or two share a name.
    """
    metrics = _by_name(hook.pytest_vigate_metrics(config=config))
    for cls in metrics.values():
        if not (isinstance(cls, type) and issubclass(cls, Metric)):
            raise PluginError(f"{_where(cls)}: pytest_vigate_metrics takes subclasses of Metric, found {cls!r:.80}")
        try:
            hash(default(cls))
        except (TypeError, ValueError) as error:
            raise PluginError(
                f"{_where(cls)}: its parameters need defaults that fit and can be hashed; {error}"
            ) from None
    readers = _by_name(hook.pytest_vigate_readers(config=config))
    for reader in readers.values():
        if not isinstance(reader, Reader):
            raise PluginError(
                f"{_where(reader)}: pytest_vigate_readers takes instances of Reader, found {reader!r:.80}"
            )
    presets = _by_name(hook.pytest_vigate_box_presets(config=config), dots=True)
    for preset in presets.values():
        fits = isinstance(preset, Preset)
        if not (fits and isinstance(preset.convention, Convention) and callable(preset.read)):
            raise PluginError(
                f"{_where(preset)}: pytest_vigate_box_presets takes instances of Preset, of a name, a Convention and a "
                f"rule, found {preset!r:.80}"
            )
        try:
            hash(preset)
        except TypeError as error:
            raise PluginError(
                f"{_where(preset.read)}: the rule of {preset.name!r} has to be hashable; {error}"
            ) from None
    return Registries(metrics, readers, presets)


def _by_name(results: Sequence[Sequence[Named]], *, dots: bool = False) -> dict[str, Named]:
    """What a hook's implementations returned, by name; names of models have dots in them."""
    pattern, signs = (PRESET_NAME, "'_', '-' and '.'") if dots else (FAMILY_NAME, "'_' and '-'")
    found: dict[str, Named] = {}
    for item in (item for result in reversed(results) for item in result):
        name = getattr(item, "name", None)
        if not isinstance(name, str) or not pattern.fullmatch(name) or name in PYTEST_MARKS:
            raise PluginError(
                f"{_where(item)}: its name is {name!r}, expected letters, digits, {signs}, and no mark of pytest's"
            )
        if name in found and found[name] is not item:
            raise PluginError(f"two plugins register {name!r}: {_where(found[name])} and {_where(item)}; rename one")
        found[name] = item
    return found


def _where(item: object) -> str:
    named = item.read if isinstance(item, Preset) else item  # a preset is told by its rule
    cls = named if hasattr(named, "__qualname__") else type(named)
    return f"{cls.__module__}.{cls.__qualname__}"


def _family(family: Family) -> dict[str, Any]:
    """Every score of a family, gated or not."""
    return {
        "name": family.name,
        "signature": family.signature,
        "parameters": dict(family.parameters),
        "scores": {
            name: {
                "value": plain_value(found.score, found.value),
                "low": found.low,
                "high": found.high,
                "method": found.method,
                "draws": len(found.draws),
                "band": found.score.band(found.value),
                "better": found.score.direction,
            }
            for name, found in family.estimates.items()
        },
        "measures": dict(family.measures),
        "judged": family.judged,
        "checkpoints": [{"checkpoint": step, "scores": dict(scores)} for step, scores in family.checkpoints],
    }
