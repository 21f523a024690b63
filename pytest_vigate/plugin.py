"""Options, hooks and wiring.

Every pytest session pays for this module, with or without gate files: it imports the standard library and pytest,
and the rest of the package only where a gate file has been found.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from pytest_vigate.data.presets import Preset
    from pytest_vigate.data.readers import Reader
    from pytest_vigate.metrics.base import Metric
    from pytest_vigate.nodes import GateFile

#: What a verdict is to pytest; a mark cannot change it.
STATUS: Mapping[str, Literal["passed", "failed", "skipped"]] = {
    "passed": "passed",
    "failed": "failed",
    "inconclusive": "failed",
    "unmeasurable": "failed",
    "warned": "skipped",
    "waived": "skipped",
}
SUFFIXES = (".gate.yaml", ".gate.yml")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options and ini value."""
    group = parser.getgroup("vigate", "quality gates for vision-language models")
    group.addoption("--vigate-json", metavar="PATH", help="write the run record (every verdict and score) to PATH")
    group.addoption(
        "--vigate-no-cache",
        action="store_true",
        help="compute what earlier runs left in pytest's cache folder (scores of BERTScore) anew, and keep nothing",
    )
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


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Remove an old run record before anything can go wrong: yesterday's verdicts must not outlive a crash.

    Raises:
        UsageError: If no file can be written where the record should go.
    """
    options = early_config.known_args_namespace
    if options.vigate_json is None or options.collectonly:
        return
    path = Path(early_config.invocation_params.dir, options.vigate_json)
    try:
        if path.exists() and not path.is_file():
            raise pytest.UsageError(f"--vigate-json: {options.vigate_json} is there and no file; name a file to write")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise pytest.UsageError(
            f"--vigate-json: {options.vigate_json} cannot be written: {error.strerror}; name another place"
        ) from None


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the run."""
    config.addinivalue_line("markers", "vigate: thresholds of gate files")
    config.pluginmanager.register(Run(config), "vigate-run")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> GateFile | None:
    """Collect gate files, and nothing else."""
    if not file_path.name.endswith(SUFFIXES):
        return None
    from pytest_vigate.nodes import GateFile, shown

    # Outside the root directory pytest would give a file named on the command line an empty node id.
    nodeid = shown(file_path, parent.config.rootpath)
    collector: GateFile = GateFile.from_parent(parent, path=file_path, nodeid=nodeid)
    return collector


def pytest_vigate_metrics() -> Sequence[type[Metric]]:
    """Bring in the built-in families, by the same hook as anybody's."""
    from pytest_vigate import metrics

    return metrics.builtin()


def pytest_vigate_readers() -> Sequence[Reader]:
    """Bring in the built-in readers, by the same hook as anybody's."""
    from pytest_vigate.data import readers

    return readers.builtin()


def pytest_vigate_box_presets() -> Sequence[Preset]:
    """Bring in the built-in box presets, by the same hook as anybody's."""
    from pytest_vigate.data import presets

    return presets.builtin()


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outermost: after an xfail mark has had its say
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Give reports of thresholds their outcome, and warned and waived ones a status of their own."""
    report: pytest.TestReport = yield
    outcome = getattr(item, "vigate_outcome", None)
    if outcome is not None:
        word = outcome["verdict"]["verdict"]
        # What another plugin raised is not our verdict: it stays an error of its own.
        foreign = call.excinfo is not None and not hasattr(call.excinfo.value, "verdict") and report.failed
        if report.when == ("setup" if word == "unmeasurable" else "call") and not foreign:
            report.vigate = outcome  # type: ignore[attr-defined]
            if call.excinfo is not None:
                # pytest asks an item for the words of its failure in the call phase only.
                report.longrepr = item.repr_failure(call.excinfo)
            report.outcome = STATUS[word]
            vars(report).pop("wasxfail", None)
            if report.outcome == "skipped":
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
        self.broken = False
        """Pytest or a plugin failed inside."""
        self.complaint = ""
        """Why the run record could not be written."""

    @property
    def _path(self) -> Path | None:
        """Where the run record goes; None where the run writes none."""
        path = self.config.getoption("vigate_json")
        if path is None or self.config.option.collectonly:
            return None
        return Path(self.config.invocation_params.dir, path)

    @pytest.hookimpl(wrapper=True, trylast=True)  # innermost: before --lf takes items away
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Any:
        """Remember what there is to judge, also where options then select a part of it."""
        report: pytest.CollectReport = yield
        if getattr(collector, "vigate_gate", False):
            report.vigate_gate = True  # type: ignore[attr-defined]
            self.whole &= report.passed
            # A gate has a threshold at least: one that collects as empty was left out, as --lf does.
            items = report.result or (collector.collect() if report.passed else ())
            self.collected.update(dict.fromkeys((item.nodeid for item in items), report.nodeid))
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Learn of gate files that a worker could not collect."""
        if getattr(report, "vigate_gate", False) and report.failed:
            self.whole, self.unreadable = False, True

    def pytest_internalerror(self) -> None:
        """Remember: a worker of xdist may break so and leave the run with exit code 0."""
        self.whole, self.broken = False, True

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember what options left out."""
        self.deselected.update(item.nodeid for item in items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in verdicts, from this process or a worker."""
        outcome = getattr(report, "vigate", None)
        if outcome is not None:
            self.outcomes[report.nodeid] = outcome

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take in what a worker of xdist collected; one that died makes the run incomplete."""
        output = getattr(node, "workeroutput", {}).get("vigate")
        if output is None:  # it died before its end
            self.whole = False
            return
        self.collected.update(output["collected"])
        self.deselected.update(output["deselected"])
        self.whole &= output["whole"]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the run record, or hand a worker's part to the controller; and hold the exit code to the verdicts."""
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["vigate"] = {
                "collected": self.collected,
                "deselected": sorted(self.deselected & self.collected.keys()),
                "whole": self.whole,
            }
            return
        if not self.config.option.collectonly:
            session.exitstatus = self._exit_status(session.exitstatus)
        if self._path is not None:
            from pytest_vigate.reports import record

            try:
                record.write(self.record(), self._path)
            except OSError as error:
                self.complaint = f"the run record could not be written to {self._path.name}: {error.strerror}"
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _exit_status(self, found: int | pytest.ExitCode) -> int | pytest.ExitCode:
        """Pytest's exit code, unless it would be better than what was found out about the gates."""
        if self.broken and found in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return pytest.ExitCode.INTERNAL_ERROR
        if self.unreadable and found in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            # Workers of xdist, and --continue-on-collection-errors, would call it a failed test.
            return pytest.ExitCode.INTERRUPTED
        if found == pytest.ExitCode.OK and self.collected.keys() - self.deselected and not self.outcomes:
            # Thresholds were there and all of them were skipped: nothing is known.
            return pytest.ExitCode.NO_TESTS_COLLECTED
        return found

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table of verdicts; nothing where no gate file was met."""
        if self.config.option.collectonly or not (self.collected or self.outcomes):
            return
        from pytest_vigate.reports import terminal

        terminalreporter.section("vigate")
        if self.complaint:
            terminalreporter.write_line(self.complaint, red=True)
        for line, colour in terminal.summary(self.record()):
            terminalreporter.write_line(line, **({colour: True} if colour else {}))

    def record(self) -> dict[str, Any]:
        """The run record, the source of all reports."""
        from pytest_vigate.reports import record

        return record.make(self.outcomes, collected=self.collected, deselected=self.deselected, whole=self.whole)
