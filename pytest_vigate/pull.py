"""Fetch what a platform knows of a training run, and keep it as a file that gates can read."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import math
import os
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from pytest_vigate.errors import DataError, VigateError
from pytest_vigate.reports.record import write

#: What vi-sdk itself reads.
_SECRET: Final = "DATATURE_VI_SECRET_KEY"
_ORGANIZATION: Final = "DATATURE_VI_ORGANIZATION_ID"
_ENDPOINT: Final = "DATATURE_VI_API_ENDPOINT"
#: By vi-sdk 0.1.0b7: what identifiers are, and how a secret begins and how long it is.
_IDENTIFIER: Final = re.compile(r"[a-zA-Z0-9_-]{1,255}")
_PREFIX: Final = "dtvi_"
_LENGTH: Final = 103
_INSTALL: Final = "install it with: pip install 'pytest-vigate[vi]'"
#: Checkpoints a request asks for, as vi-sdk advises for many.
_PAGE: Final = 100
#: Requests for them.
_PAGES: Final = 1000
#: Seconds until a silent server counts as down.
_PATIENCE: Final = 60
#: Seconds for everything: a server that sends a byte a minute is never silent.
_TOTAL: Final = 900
#: Nesting of metrics and flows that is kept.
_DEPTH: Final = 32
#: Milliseconds of the year 9999, as far as dates go.
_LATEST: Final = 253_402_300_799_000


class UsageError(VigateError):
    """A command was called in a way, or in a place, in which it cannot work."""


def pull_vi(run: str, path: Path) -> str:
    """Write a run of Datature Vi to a file, through vi-sdk.

    The secret key and the organization come from the variables ``DATATURE_VI_SECRET_KEY`` and
    ``DATATURE_VI_ORGANIZATION_ID``, and the address, where it is not Vi's own, from ``DATATURE_VI_API_ENDPOINT``.
    Nothing else is contacted but what the variables of a proxy name: redirections are not followed. The log file that
    vi-sdk keeps below the home folder is switched off.

    The file has, oldest checkpoint first::

        {"vigate": 1, "source": "vi", "pulled": "2026-05-01T12:00:00Z",
         "run": {"id": …, "flow": {"name", "schema", "settings", "blocks", …}, "project": … or null,
                 "status": [{"condition", "status", "time", "reason", "message"}, …], "log": …},
         "checkpoints": [{"id": …, "epoch": 3 or null, "created": …, "evaluation_metrics": {…} or null}, …]}

    Metrics stand there as Vi gives them, nested or flat. ``log`` is without the signature of its address. An existing
    file is replaced in one step, and only by a whole one.

    Args:
        run: The run's id.
        path: The file to write.

    Returns:
        One line that says what was written.

    Raises:
        UsageError: If the id, the file or a variable cannot be used, or vi-sdk is not installed.
        DataError: If the server does not answer, refuses, or has no metrics of the run.
    """
    secret = _refuse_wrong_use(run, path)
    where = f"run {run} of Vi"
    found = _in_time(lambda: _fetch(run, where), where)
    checkpoints = found["checkpoints"]
    if not checkpoints:
        raise DataError(where, "it has no checkpoint; wait until it has saved one, then pull again")
    measured = sum(bool(checkpoint["evaluation_metrics"]) for checkpoint in checkpoints)
    if not measured:
        raise DataError(
            where, f"none of its {len(checkpoints)} checkpoints has evaluation metrics; zero points prove nothing"
        )
    if secret in json.dumps(found, ensure_ascii=False):
        raise DataError(where, "the answer repeats the secret key, so nothing is written; revoke the key")
    try:
        write(found, path)
    except OSError as error:
        raise UsageError(f"{path}: the file cannot be written: {error.strerror}") from None
    without = len(checkpoints) - measured
    more = f", {without} of them without evaluation metrics" if without else ""
    return f"{path}: {len(checkpoints)} checkpoint{'s' if len(checkpoints) > 1 else ''}{more}"


def _refuse_wrong_use(run: str, path: Path) -> str:
    """The secret key, if all is there that is needed before anything is asked."""
    if not _IDENTIFIER.fullmatch(run):
        raise UsageError("RUN is no id of a run: it has letters, digits, - and _ only, 255 at most")
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"{path}: no file can be written there; name a file in a folder that exists")
    missing = [name for name in (_SECRET, _ORGANIZATION) if not os.environ.get(name, "").strip()]
    if missing:
        raise UsageError(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set in the environment")
    secret = os.environ[_SECRET]
    if not secret.startswith(_PREFIX) or len(secret) != _LENGTH or not secret.isascii() or not secret.isprintable():
        raise UsageError(f"{_SECRET} is no secret key of Vi: it begins with {_PREFIX} and has {_LENGTH} characters")
    if not _IDENTIFIER.fullmatch(os.environ[_ORGANIZATION]):
        raise UsageError(f"{_ORGANIZATION} is no id of an organization: it has letters, digits, - and _ only")
    if (address := os.environ.get(_ENDPOINT)) is not None:
        try:
            parts = urlsplit(address)
            fine = parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and _local(parts.hostname)))
        except ValueError:
            fine = False
        if not fine:
            raise UsageError(f"{_ENDPOINT} is no address that begins with https://: the secret key would be readable")
    return secret


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_time(action: Callable[[], dict[str, Any]], where: str) -> dict[str, Any]:
    """What the action returns or raises, within the time there is for all of it."""
    done: queue.SimpleQueue[dict[str, Any] | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put(action())
        except BaseException as error:
            done.put(error)

    # Requests have no limit for the whole of one, and cannot be ended from outside: the thread ends with the process.
    threading.Thread(target=run, daemon=True).start()
    try:
        found = done.get(timeout=_TOTAL)
    except queue.Empty:
        raise DataError(
            where, f"the server has not sent all within {_TOTAL} seconds; try again later, or check {_ENDPOINT}"
        ) from None
    if isinstance(found, BaseException):
        raise found
    return found


def _fetch(run: str, where: str) -> dict[str, Any]:
    """What the file will hold.

    Raises:
        UsageError: If vi-sdk is not there.
        DataError: With the status of the answer and never its text, which may repeat what was sent.
    """
    with _without_log_files():
        try:
            import httpx
            import vi
            from vi.client.http.retry import RetryConfig
            from vi.logging.config import LogLevel
        except ImportError:
            raise UsageError(f"this command needs vi-sdk; {_INSTALL}") from None
        except Exception as error:  # with an httpx that it does not know it is an AttributeError
            raise UsageError(f"vi-sdk cannot be loaded ({type(error).__name__}: {error}); {_INSTALL}") from None
    quiet = vi.LoggingConfig(
        level=LogLevel.CRITICAL, enable_console=False, enable_file=False, respect_environment=False
    )
    retries = RetryConfig(max_retries=2, max_rate_limit_retries=3, max_delay=20)
    try:
        with vi.Client(logging_config=quiet, timeout=httpx.Timeout(_PATIENCE), retry_config=retries) as client:
            # vi-sdk 0.1.0b7 follows redirections and would send the id of the organization along, wherever they lead.
            client._requester._client.follow_redirects = False
            return _document(run, client.runs.get(run), _models(client, run, where), where)
    except DataError:
        raise
    except Exception as error:  # a beta that meets an answer it does not know ends in any error there is
        raise DataError(where, _explained(error)) from None


def _models(client: Any, run: str, where: str) -> list[Any]:
    """All checkpoints of a run.

    Raises:
        DataError: If there is no end of them, or one is there twice.
    """
    from vi.api.resources.models.responses import Model
    from vi.api.responses import Pagination

    # client.models.list of vi-sdk 0.1.0b7 puts a second question mark into the address, before p and s: the server is
    # then asked for the first page again and again.
    path = f"/workspaces/{os.environ[_ORGANIZATION]}/runs/{run}/outputs"
    asked = {"intent": "sdkLocalDeploy", "s": _PAGE}
    found: list[Any] = []
    for _ in range(_PAGES):
        page = client._requester.get(path, params=asked, response_type=Pagination[Model])
        if not isinstance(page, Pagination):
            raise TypeError("no page of models")
        found += page.items
        if not page.next_page:
            break
        asked = {**asked, "p": page.next_page}
    else:
        raise DataError(
            where, f"the server names ever more pages of checkpoints: {_PAGES} were read; check {_ENDPOINT}"
        )
    if len({model.model_id for model in found}) < len(found):
        raise DataError(
            where, "the answer has a checkpoint twice, as when one is saved between two pages; pull the run again"
        )
    return found


@contextlib.contextmanager
def _without_log_files() -> Iterator[None]:
    """Importing vi-sdk makes a folder for its log files below the home folder, unless it is told not to."""
    before = {name: os.environ.pop(name, None) for name in ("VI_ENABLE_FILE", "VI_LOG_FILE")}
    os.environ["VI_ENABLE_FILE"] = "no"
    try:
        yield
    finally:
        os.environ.pop("VI_ENABLE_FILE", None)
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _explained(error: Exception) -> str:
    status = getattr(error, "status_code", None)
    known = {
        401: "the secret key is not accepted (401); check DATATURE_VI_SECRET_KEY and DATATURE_VI_ORGANIZATION_ID",
        403: "the secret key does not reach this run (403); check DATATURE_VI_ORGANIZATION_ID and what the key may do",
        404: "the organization has no such run (404); check its id and DATATURE_VI_ORGANIZATION_ID",
        429: "too many requests were made (429); wait a minute, then pull again",
    }
    if status in known:
        return known[status]
    if isinstance(status, int) and 300 <= status < 400:
        return f"the server redirects to another address ({status}), which is not followed; check {_ENDPOINT}"
    if isinstance(status, int):
        return f"the server answers with an error ({status}); try again later"
    if type(error).__name__ in ("ViNetworkError", "ViTimeoutError"):
        return f"the server cannot be reached; check the connection and {_ENDPOINT}"
    from vi.version import __version__

    return f"vi-sdk {__version__} cannot read the answer ({type(error).__name__}); try a newer one"


def _document(run: str, facts: Any, models: list[Any], where: str) -> dict[str, Any]:
    """What the file will hold.

    Raises:
        DataError: If a part of the answer has no place in it.
    """
    import msgspec

    status = [
        {
            "condition": condition.condition.value,
            "status": condition.status.value,
            "time": _time(condition.last_transition_time, where),
            "reason": condition.reason,
            "message": condition.message,
        }
        for condition in facts.status.conditions
    ]
    models.sort(key=lambda model: int(model.metadata.time_created))  # they come so, but nothing promises it
    return {
        "vigate": 1,
        "source": "vi",
        "pulled": _iso(dt.datetime.now(dt.UTC)),
        "run": {
            "id": run,
            "flow": _plain(msgspec.to_builtins(facts.spec.flow), where),
            "project": facts.spec.training_project,
            "status": status,
            "log": _unsigned(facts.status.log),
        },
        "checkpoints": [
            {
                "id": model.model_id,
                "epoch": model.spec.epoch,
                "created": _time(model.metadata.time_created, where),
                "evaluation_metrics": _plain(model.spec.evaluation_metrics, where),
            }
            for model in models
        ],
    }


def _plain(value: object, where: str, depth: int = 0) -> object:
    """What JSON can hold, numbers that are none as texts."""
    if depth > _DEPTH:
        raise DataError(
            where,
            f"its metrics or its flow are nested deeper than {_DEPTH} levels, which is kept of no run; check both",
        )
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, where, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, where, depth + 1) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _unsigned(address: str) -> str:
    """An address without user, query and fragment: they may let anybody in who has them."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _time(milliseconds: int, where: str) -> str:
    if not 0 <= milliseconds <= _LATEST:
        raise DataError(where, f"a time in the answer is none from 1970 to 9999; check {_ENDPOINT}")
    return _iso(dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC))


def _iso(time: dt.datetime) -> str:
    return time.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
