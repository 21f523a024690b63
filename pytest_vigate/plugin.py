"""Options, hooks and wiring.

Every pytest session pays for this module, with or without gate files: it imports the standard library and pytest,
and the rest of the package only where a gate file has been found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_vigate.data.readers import Reader
    from pytest_vigate.metrics.base import Metric
    from pytest_vigate.nodes import GateFile

SUFFIXES = (".gate.yaml", ".gate.yml")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our option and ini value."""
    group = parser.getgroup("vigate", "quality gates for vision-language models")
    group.addoption("--vigate-json", metavar="PATH", help="write the run record (every verdict and score) to PATH")
    parser.addini(
        "vigate_data_roots",
        "further folders that the data of gate files may lie in; data below the root directory always may",
        type="paths",
        default=[],
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare our hooks."""
    from pytest_vigate import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the run.

    Raises:
        UsageError: If the run record cannot be written where it should go.
    """
    path = config.getoption("vigate_json")
    if path is not None and (config.invocation_params.dir / path).is_dir():
        raise pytest.UsageError(f"--vigate-json: {path} is a folder, expected a file to write")
    config.addinivalue_line("markers", "vigate: thresholds of gate files")
    config.pluginmanager.register(Run(config), "vigate-run")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> GateFile | None:
    """Collect gate files, and nothing else."""
    if not file_path.name.endswith(SUFFIXES):
        return None
    from pytest_vigate.nodes import GateFile

    collector: GateFile = GateFile.from_parent(parent, path=file_path)
    return collector


def pytest_vigate_metrics() -> Sequence[type[Metric]]:
    """Bring in the built-in families, by the same hook as anybody's."""
    from pytest_vigate import metrics

    return metrics.builtin()


def pytest_vigate_readers() -> Sequence[Reader]:
    """Bring in the built-in readers, by the same hook as anybody's."""
    from pytest_vigate.data import readers

    return readers.builtin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Give reports of thresholds their outcome, and warned and waived ones a status of their own."""
    report: pytest.TestReport = yield
    outcome = getattr(item, "vigate_outcome", None)
    if outcome is not None:
        word = outcome["verdict"]["verdict"]
        if report.when == ("setup" if word == "unmeasurable" else "call"):
            report.vigate = outcome  # type: ignore[attr-defined]
            if report.when == "setup" and call.excinfo is not None:
                # pytest asks an item for the words of its failure in the call phase only.
                report.longrepr = item.repr_failure(call.excinfo)
            if word in ("warned", "waived") and report.failed:
                report.outcome = "skipped"
                report.wasxfail = outcome["verdict"]["message"]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, Any] | None:
    """Letters ``W`` and ``V`` for warned and waived."""
    outcome = getattr(report, "vigate", None)
    if outcome is None or outcome["verdict"]["verdict"] not in ("warned", "waived"):
        return None
    word: str = outcome["verdict"]["verdict"]
    return word, {"warned": "W", "waived": "V"}[word], (word.upper(), {"yellow": True})


class Run:
    """What this process knows of the run. Under xdist the controller learns what the workers collected."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.collected: dict[str, str] = {}
        """Node id → gate file, of every threshold of every collected gate file."""
        self.deselected: set[str] = set()
        self.outcomes: dict[str, dict[str, Any]] = {}
        """Node id → ``{"gate": …, "verdict": …}``."""
        self.whole = True
        """No gate file was left out and no worker was lost."""
        self.unreadable = False
        """A gate file could not be read."""

    @property
    def _blocked(self) -> bool:
        """Whether a verdict stands in the way of a deploy."""
        words = {outcome["verdict"]["verdict"] for outcome in self.outcomes.values()}
        return not words <= {"passed", "warned", "waived"}

    @property
    def _path(self) -> Path | None:
        """Where the run record goes; None where this process writes none."""
        path = self.config.getoption("vigate_json")
        if path is None or self.config.option.collectonly or hasattr(self.config, "workerinput"):
            return None
        return Path(self.config.invocation_params.dir, path)

    def pytest_sessionstart(self) -> None:
        """Remove an old record: a run that crashes must not leave yesterday's verdicts behind."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    @pytest.hookimpl(wrapper=True, trylast=True)  # innermost: before --lf takes items away
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Any:
        """Remember what there is to judge, also where options then select a part of it."""
        report: pytest.CollectReport = yield
        if _is_gate(report.nodeid):
            self.collected.update(dict.fromkeys((item.nodeid for item in report.result), report.nodeid))
            # A gate file has a threshold at least: one that collects as empty was left out, as --lf does.
            self.whole &= report.passed and bool(report.result)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Learn of gate files that a worker could not collect."""
        if _is_gate(report.nodeid) and report.failed:
            self.whole, self.unreadable = False, True

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember what options left out."""
        self.deselected.update(item.nodeid for item in items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in verdicts, from this process or a worker."""
        outcome = getattr(report, "vigate", None)
        if outcome is not None:
            self.outcomes[report.nodeid] = outcome

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take in what a worker of xdist collected; one that died makes the run incomplete."""
        output = getattr(node, "workeroutput", {}).get("vigate")
        if error or output is None:
            self.whole = False
            return
        self.collected.update(output["collected"])
        self.deselected.update(output["deselected"])
        self.whole &= output["whole"]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the run record, or hand a worker's part to the controller."""
        if self.unreadable and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            # Workers of xdist, and --continue-on-collection-errors, would call it a failed test.
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        if self._blocked and session.exitstatus == pytest.ExitCode.OK:
            # A conftest's xfail mark turns the report green; the verdict stands.
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["vigate"] = {
                "collected": self.collected,
                "deselected": sorted(self.deselected & self.collected.keys()),
                "whole": self.whole,
            }
        elif self._path is not None:
            from pytest_vigate.reports import record

            record.write(self.record(), self._path)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table of verdicts; nothing where no gate file was met."""
        if self.config.option.collectonly or not (self.collected or self.outcomes):
            return
        from pytest_vigate.reports import terminal

        terminalreporter.section("vigate")
        for line, colour in terminal.summary(self.record()):
            terminalreporter.write_line(line, **({colour: True} if colour else {}))

    def record(self) -> dict[str, Any]:
        """The run record, the source of all reports."""
        from pytest_vigate.reports import record

        return record.make(self.outcomes, collected=self.collected, deselected=self.deselected, whole=self.whole)


def _is_gate(nodeid: str) -> bool:
    return nodeid.endswith(SUFFIXES)
