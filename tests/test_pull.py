"""`vigate pull vi`: the real vi-sdk (0.1.0b7) against a server of our own that speaks its wire format."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from data.world import World
from pytest_vigate.cli import main
from pytest_vigate.pull import UsageError, pull_vi

SECRET = "dtvi_" + "s3cr3t" * 16 + "ab"  # 103 characters, as vi-sdk wants them
ORGANIZATION = "0b0e1d7e-9d3c-4f6a-8a55-1c2d3e4f5a6b"
RUN = "run-1"
CREATED = 1_767_225_600_000  # 2026-01-01T00:00:00Z

Answer = tuple[int, Any, dict[str, str]]


def facts(**changed: Any) -> dict[str, Any]:
    """A run as the gateway sends it."""
    return {
        "kind": "Run",
        "workspaceId": ORGANIZATION,
        "runId": RUN,
        "spec": {
            "flow": {
                "name": "cars",
                "schema": "v1",
                "tolerations": {},
                "settings": {"seed": 7},
                "blocks": [{"block": "trainer", "settings": {"learningRate": 1e-4, "epochs": 3}, "style": {}}],
            },
            "trainingProject": "project-1",
        },
        "status": {
            "log": "https://user:pass@logs.example/run-1.log?signature=abc#top",
            "observedGeneration": 1,
            "conditions": [{"condition": "Finished", "status": "Reached", "lastTransitionTime": CREATED + 3000}],
        },
        "metadata": {"timeCreated": CREATED, "lastUpdated": CREATED, "generation": 1, "attributes": {}},
        "selfLink": "/self",
        "etag": "1",
        **changed,
    }


def checkpoint(i: int, metrics: Any, **changed: Any) -> dict[str, Any]:
    """A model of a run as the gateway sends it."""
    created = CREATED + 1000 * i
    return {
        "kind": "RunOutput",
        "runId": RUN,
        "workspaceId": ORGANIZATION,
        "runOutputId": f"output-{i}",
        "metadata": {"timeCreated": created, "lastUpdated": created, "generation": 1, "attributes": {}},
        "spec": {"kind": "Model", "epoch": i, "evaluationMetrics": metrics},
        "status": {"observedGeneration": 1, "conditions": [], "storageObject": "object"},
        "selfLink": "/self",
        "etag": "1",
        **changed,
    }


def nest(depth: int) -> dict[str, Any]:
    """Metrics as deep as that."""
    metrics: dict[str, Any] = {"f1": 1}
    for _ in range(depth):
        metrics = {"m": metrics}
    return metrics


class Server:
    """The gateway: one run, its checkpoints in pages, and what a test wants to go wrong."""

    def __init__(self) -> None:
        self.run: Any = facts()
        self.checkpoints: list[Any] = [checkpoint(1, {"f1": 0.5}), checkpoint(2, {"f1": 0.75})]
        self.page = 100
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.instead: Callable[[str], Answer | None] = lambda path: None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.headers.append(dict(self.headers))
                status, body, headers = server.answer(self.path, self.headers.get("Authorization"))
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, path: str, authorization: str | None) -> Answer:
        wrong = self.instead(path)
        if wrong is not None:
            return wrong
        if authorization != f"Bearer {SECRET}":
            return 401, {"message": f"not known: {authorization}"}, {}
        parts = urlsplit(path)
        base = f"/workspaces/{ORGANIZATION}/runs/{RUN}"
        if parts.path == base:
            return 200, self.run, {}
        if parts.path == f"{base}/outputs":
            start = int(parse_qs(parts.query).get("p", ["0"])[0])
            after = start + self.page
            more = {"nextPage": str(after)} if after < len(self.checkpoints) else {}
            return 200, {"items": self.checkpoints[start:after], **more}, {}
        return 404, {"message": "no such run"}, {}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


@pytest.fixture
def pull(tmp_path: Path, server: Server) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command as a shell would, with a home folder of its own."""

    def start(
        *arguments: str, limits: Mapping[str, float] | None = None, **changed: str | None
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "home").mkdir(exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}
        settings: dict[str, str | None] = {
            "HOME": str(tmp_path / "home"),
            "DATATURE_VI_SECRET_KEY": SECRET,
            "DATATURE_VI_ORGANIZATION_ID": ORGANIZATION,
            "DATATURE_VI_API_ENDPOINT": server.address,
            # The most talkative that a user's environment can make vi-sdk.
            "VI_ENABLE_CONSOLE": "true",
            "VI_LOG_LEVEL": "debug",
            "VI_LOG_FILE": str(tmp_path / "home" / "vi.log"),
            "VI_LOG_REQUEST_HEADERS": "true",
            **changed,
        }
        environment.update({name: value for name, value in settings.items() if value is not None})
        for name in [name for name, value in settings.items() if value is None]:
            environment.pop(name, None)
        command = ["-m", "pytest_vigate.cli"]
        if limits is not None:
            code = "import sys\nfrom pytest_vigate import cli, pull\n"
            command = ["-c", f"{code}vars(pull).update({dict(limits)!r})\nsys.exit(cli.main())"]
        result = subprocess.run(
            [sys.executable, "-W", "error", *command, "pull", "vi", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
            timeout=120,
        )
        assert SECRET not in result.stdout + result.stderr
        left = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert not [path for path in left if SECRET.encode() in path.read_bytes()]
        assert not list((tmp_path / "home").iterdir())
        return result

    return start


@pytest.mark.vi_sdk
def test_run_and_checkpoints_are_written_oldest_first(
    tmp_path: Path, server: Server, pull: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    nested = {"bbox": {"f1": 0.5, "iou": None}, "perClass": [1, 2], "Total loss": 2}
    server.checkpoints = [checkpoint(3, None), checkpoint(1, nested), checkpoint(2, {"f1": 0.75})]
    result = pull(RUN, "--output", "run.json")
    assert (result.returncode, result.stdout, result.stderr) == (
        0,
        "run.json: 3 checkpoints, 1 of them without evaluation metrics\n",
        "",
    )
    found = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    pulled = dt.datetime.fromisoformat(found.pop("pulled"))
    assert abs(dt.datetime.now(dt.UTC) - pulled) < dt.timedelta(hours=1)
    assert found == {
        "vigate": 1,
        "source": "vi",
        "run": {
            "id": RUN,
            "flow": {
                "name": "cars",
                "schema": "v1",
                "tolerations": {},
                "settings": {"seed": 7},
                "blocks": [{"block": "trainer", "settings": {"learningRate": 1e-4, "epochs": 3}, "style": {}}],
            },
            "project": "project-1",
            "status": [
                {
                    "condition": "Finished",
                    "status": "Reached",
                    "time": "2026-01-01T00:00:03Z",
                    "reason": None,
                    "message": None,
                }
            ],
            "log": "https://logs.example/run-1.log",
        },
        "checkpoints": [
            {"id": "output-1", "epoch": 1, "created": "2026-01-01T00:00:01Z", "evaluation_metrics": nested},
            {"id": "output-2", "epoch": 2, "created": "2026-01-01T00:00:02Z", "evaluation_metrics": {"f1": 0.75}},
            {"id": "output-3", "epoch": 3, "created": "2026-01-01T00:00:03Z", "evaluation_metrics": None},
        ],
    }


@pytest.mark.vi_sdk
def test_secrets_of_the_environment_reach_the_server_and_nothing_else(
    server: Server, pull: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    assert pull(RUN).returncode == 0
    assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {SECRET}"}
    assert {headers["Organization-Id"] for headers in server.headers} == {ORGANIZATION}
    base = f"/workspaces/{ORGANIZATION}/runs/{RUN}"
    assert server.asked == [base, f"{base}/outputs?intent=sdkLocalDeploy&s=100"]


@pytest.mark.vi_sdk
def test_all_pages_are_read_into_a_file_that_is_a_training_log(
    tmp_path: Path, server: Server, pull: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    server.checkpoints = [checkpoint(i, {"val_loss": 1 / i, "bbox": {"f1": i / 10}}) for i in range(1, 8)]
    server.page = 3
    assert pull(RUN).stdout == "vi-run-1.json: 7 checkpoints\n"
    training = World(tmp_path).training("vi-run-1.json")
    assert training.source.format == "vi"
    assert training.curve("bbox.f1").step.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert training.curve("bbox.f1").value.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert training.validation is training.curve("val_loss")
    assert training.hyperparameters == {"settings.seed": 7, "trainer.learningRate": 1e-4, "trainer.epochs": 3}


def always(status: int, body: Any = None, **headers: str) -> Callable[[str], Answer]:
    """The same answer to whatever is asked."""
    return lambda path: (status, {"message": f"no, {SECRET}"} if body is None else body, headers)


@pytest.mark.vi_sdk
@pytest.mark.parametrize(
    ("instead", "said"),
    [
        (
            always(401),
            "the secret key is not accepted (401); check DATATURE_VI_SECRET_KEY and DATATURE_VI_ORGANIZATION_ID",
        ),
        (
            always(403),
            "the secret key does not reach this run (403); check DATATURE_VI_ORGANIZATION_ID and what the key may do",
        ),
        (
            always(404),
            "the organization has no such run (404); check its id and DATATURE_VI_ORGANIZATION_ID",
        ),
        (
            always(429, **{"Retry-After": "0"}),
            "too many requests were made (429); wait a minute, then pull again",
        ),
        (always(429, **{"Retry-After": "-5"}), "vi-sdk 0.1.0b7 cannot read the answer (ValueError); try a newer one"),
        (always(418), "the server answers with an error (418); try again later"),
        (always(200, b"<html>"), "vi-sdk 0.1.0b7 cannot read the answer (ViOperationError); try a newer one"),
        (always(200, {}), "vi-sdk 0.1.0b7 cannot read the answer (ViOperationError); try a newer one"),
        (
            always(200, b"[" * 100_000),
            "vi-sdk 0.1.0b7 cannot read the answer (ViOperationError); try a newer one",
        ),
    ],
)
def test_refusal_is_one_line_and_leaves_an_existing_file_alone(
    tmp_path: Path,
    server: Server,
    pull: Callable[..., subprocess.CompletedProcess[str]],
    instead: Callable[[str], Answer],
    said: str,
) -> None:
    (tmp_path / "run.json").write_text("before", encoding="utf-8")
    server.instead = instead
    result = pull(RUN, "--output", "run.json")
    assert (result.returncode, result.stdout, result.stderr) == (1, "", f"run run-1 of Vi: {said}\n")
    assert (tmp_path / "run.json").read_text(encoding="utf-8") == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "run.json"]


@pytest.mark.vi_sdk
@pytest.mark.parametrize(
    ("checkpoints", "said"),
    [
        ([], "it has no checkpoint; wait until it has saved one, then pull again"),
        (
            [checkpoint(1, None), checkpoint(2, {})],
            "none of its 2 checkpoints has evaluation metrics; zero points prove nothing",
        ),
        (
            [checkpoint(1, {"note": SECRET})],
            "the answer repeats the secret key, so nothing is written; revoke the key",
        ),
        (
            [checkpoint(1, {"f1": float("nan")})],  # no JSON
            "vi-sdk 0.1.0b7 cannot read the answer (TypeError); try a newer one",
        ),
        (
            [checkpoint(10**14, {"f1": 1})],  # of the year 3 million
            "a time in the answer is none from 1970 to 9999; check DATATURE_VI_API_ENDPOINT",
        ),
        (
            [checkpoint(1, {"f1": 1}), checkpoint(1, {"f1": 0})],
            "the answer has a checkpoint twice, as when one is saved between two pages; pull the run again",
        ),
        (
            [checkpoint(1, nest(100))],
            "its metrics or its flow are nested deeper than 32 levels, which is kept of no run; check both",
        ),
    ],
)
def test_checkpoints_that_prove_nothing_are_not_written(
    tmp_path: Path,
    server: Server,
    pull: Callable[..., subprocess.CompletedProcess[str]],
    checkpoints: list[Any],
    said: str,
) -> None:
    server.checkpoints = checkpoints
    result = pull(RUN)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", f"run run-1 of Vi: {said}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.vi_sdk
def test_redirection_is_not_followed(server: Server, pull: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    other = Server()
    try:
        server.instead = always(302, Location=f"{other.address}/workspaces/{ORGANIZATION}/runs/{RUN}")
        result = pull(RUN)
        assert other.asked == []
    finally:
        other.close()
    assert (result.returncode, result.stderr) == (
        1,
        "run run-1 of Vi: the server redirects to another address (302), which is not followed; check "
        "DATATURE_VI_API_ENDPOINT\n",
    )


@pytest.mark.vi_sdk
def test_server_that_is_down_is_said(pull: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    result = pull(RUN, DATATURE_VI_API_ENDPOINT=f"http://127.0.0.1:{port}")
    assert (result.returncode, result.stderr) == (
        1,
        "run run-1 of Vi: the server cannot be reached; check the connection and DATATURE_VI_API_ENDPOINT\n",
    )


@pytest.mark.vi_sdk
def test_pages_that_never_end_are_given_up(
    server: Server, pull: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    page = {"items": [], "nextPage": "again"}
    server.instead = lambda path: (200, page, {}) if "/outputs" in path else None
    result = pull(RUN, limits={"_PAGES": 3})
    assert (result.returncode, result.stderr) == (
        1,
        "run run-1 of Vi: the server names ever more pages of checkpoints: 3 were read; check "
        "DATATURE_VI_API_ENDPOINT\n",
    )
    assert len(server.asked) == 4


@pytest.mark.vi_sdk
def test_time_for_everything_is_limited(server: Server, pull: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    released = threading.Event()

    def instead(path: str) -> Answer | None:
        released.wait(50)  # less than a server may be silent
        return None

    server.instead = instead
    try:
        result = pull(RUN, limits={"_TOTAL": 0.2})
    finally:
        released.set()
    assert (result.returncode, result.stdout, result.stderr) == (
        1,
        "",
        "run run-1 of Vi: the server has not sent all within 0.2 seconds; try again later, or check "
        "DATATURE_VI_API_ENDPOINT\n",
    )


@pytest.mark.vi_sdk
def test_passing_failure_is_tried_again(server: Server, pull: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    failures = iter([503, 429])

    def instead(path: str) -> Answer | None:
        status = next(failures, None)
        return None if status is None else (status, {"message": "busy"}, {"Retry-After": "0"})

    server.instead = instead
    assert pull(RUN).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "changed", "said"),
    [
        (
            [RUN],
            {"DATATURE_VI_SECRET_KEY": None, "DATATURE_VI_ORGANIZATION_ID": " "},
            "DATATURE_VI_SECRET_KEY and DATATURE_VI_ORGANIZATION_ID are not set in the environment",
        ),
        (
            [RUN],
            {"DATATURE_VI_SECRET_KEY": SECRET[1:]},
            "DATATURE_VI_SECRET_KEY is no secret key of Vi: it begins with dtvi_ and has 103 characters",
        ),
        (
            [RUN],
            {"DATATURE_VI_ORGANIZATION_ID": "../other"},
            "DATATURE_VI_ORGANIZATION_ID is no id of an organization: it has letters, digits, - and _ only",
        ),
        (
            [RUN],
            {"DATATURE_VI_API_ENDPOINT": "http://api.example"},
            "DATATURE_VI_API_ENDPOINT is no address that begins with https://: the secret key would be readable",
        ),
        (["../run"], {}, "RUN is no id of a run: it has letters, digits, - and _ only, 255 at most"),
        (
            [RUN, "--output", "none/run.json"],
            {},
            "none/run.json: no file can be written there; name a file in a folder that exists",
        ),
        ([RUN, "--output", "."], {}, ".: no file can be written there; name a file in a folder that exists"),
    ],
)
def test_wrong_use_is_said_before_anything_is_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    changed: dict[str, str | None],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "vi", None)  # which would be the next thing to say
    settings = {"DATATURE_VI_SECRET_KEY": SECRET, "DATATURE_VI_ORGANIZATION_ID": ORGANIZATION, **changed}
    for name, value in settings.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert main(["pull", "vi", *arguments]) == 4
    assert capsys.readouterr() == ("", f"{said}\n")
    assert list(tmp_path.iterdir()) == []


def test_wrong_use_is_said_by_the_command(
    server: Server, pull: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    result = pull("../run")
    said = "RUN is no id of a run: it has letters, digits, - and _ only, 255 at most\n"
    assert (result.returncode, result.stdout, result.stderr) == (4, "", said)
    assert server.asked == []


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vi", None)
    monkeypatch.setenv("DATATURE_VI_SECRET_KEY", SECRET)
    monkeypatch.setenv("DATATURE_VI_ORGANIZATION_ID", ORGANIZATION)
    monkeypatch.setenv("VI_LOG_FILE", "kept")
    with pytest.raises(UsageError) as caught:
        pull_vi(RUN, tmp_path / "run.json")
    assert str(caught.value) == "this command needs vi-sdk; install it with: pip install 'pytest-vigate[vi]'"
    assert os.environ["VI_LOG_FILE"] == "kept"
    assert "VI_ENABLE_FILE" not in os.environ
    assert list(tmp_path.iterdir()) == []


def test_package_that_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    (tmp_path / "vi").mkdir()
    (tmp_path / "vi" / "__init__.py").write_text("import json\njson.nothing\n", encoding="utf-8")
    (tmp_path / "httpx.py").write_text("", encoding="utf-8")
    environment = {**os.environ, "DATATURE_VI_SECRET_KEY": SECRET, "DATATURE_VI_ORGANIZATION_ID": ORGANIZATION}
    result = subprocess.run(
        [sys.executable, "-m", "pytest_vigate.cli", "pull", "vi", RUN],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (
        4,
        "",
        "vi-sdk cannot be loaded (AttributeError: module 'json' has no attribute 'nothing'); install it with: "
        "pip install 'pytest-vigate[vi]'\n",
    )


def test_no_option_takes_a_secret(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "pytest_vigate.cli", "pull", "vi", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    options = {word.strip("[],") for word in shown.split() if word.strip("[],").startswith("--")}
    assert options == {"--help", "--output"}
