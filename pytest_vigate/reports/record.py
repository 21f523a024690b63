"""The run record: everything that was decided and on what evidence. All other reports are projections of it."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import tempfile
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytest_vigate import __version__
from pytest_vigate.verdicts import WORDS

#: Version of the record's schema.
SCHEMA = 1
#: Texts of data, such as ids and labels, longer than this are cut.
LONGEST = 10_000
#: Hexadecimal digits of its digest that a cut text ends with, so that two texts stay two.
DIGITS = 16


def make(
    outcomes: Mapping[str, Mapping[str, Any]],
    *,
    collected: Mapping[str, str],
    deselected: Collection[str],
    whole: bool,
) -> dict[str, Any]:
    """The record of a run.

    Args:
        outcomes: Node id → ``{"gate": …, "verdict": …}`` of every judged threshold.
        collected: Node id → gate file of every threshold of every collected gate file.
        deselected: Node ids that options left out.
        whole: Whether no gate file was left out or unreadable, and no worker was lost.
    """
    gates: dict[str, dict[str, Any]] = {
        file: {"path": file, "verdicts": []} for file in dict.fromkeys(collected.values())
    }
    for nodeid in sorted(outcomes, key=_position(collected)):
        outcome = outcomes[nodeid]
        gate = outcome["gate"]
        entry = gates.setdefault(gate["path"], {"path": gate["path"], "verdicts": []})
        families = {family["name"]: family for family in (*entry.get("families", ()), *gate["families"])}
        files = {(file["role"], file["path"]): file for file in (*entry.get("data", ()), *gate["data"])}
        joined = {"data": list(files.values()), "families": list(families.values()), "verdicts": entry["verdicts"]}
        entry.update({**gate, **joined})
        entry["verdicts"].append({**outcome["verdict"], "id": nodeid})
    counts: dict[str, int] = dict.fromkeys(WORDS, 0)
    for outcome in outcomes.values():
        counts[outcome["verdict"]["verdict"]] += 1
    missing = [nodeid for nodeid in collected if nodeid not in outcomes]
    seeds = {gate["seed"] for gate in gates.values() if "seed" in gate}
    return {
        "vigate": SCHEMA,
        "tool": _tool(),
        "seed": seeds.pop() if len(seeds) == 1 else None,
        "complete": bool(outcomes) and whole and not missing,
        "counts": {
            **counts,
            "deselected": len([nodeid for nodeid in missing if nodeid in deselected]),
            "not_judged": len(missing),
            "ignored_groups": sum(
                group["verdict"] == "ignored" for outcome in outcomes.values() for group in outcome["verdict"]["groups"]
            ),
        },
        "gates": [gate for _, gate in sorted(gates.items())],
    }


def _tool() -> dict[str, str]:
    """Name and versions: all it takes, with seed and digests, to compute the same numbers again."""
    packages = ("pytest", "numpy", "scipy", "msgspec")
    return {
        "name": "pytest-vigate",
        "version": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def _position(collected: Mapping[str, str]) -> Any:
    """Sort key: the order of collection, which is that of the gate files."""
    place = {nodeid: i for i, nodeid in enumerate(collected)}
    return lambda nodeid: (place.get(nodeid, len(place)), nodeid)


def write(record: Mapping[str, Any], path: Path) -> None:
    """Write the record as JSON, in one step: a reader sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=True, allow_nan=False)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{text}\n")
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def plain(value: Any) -> Any:
    """Values that JSON and a worker's wire can carry.

    NaN and infinities become None, numbers of numpy Python's; texts of data are cut where they would fill the disk.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_cut(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def _cut(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()  # halves of characters as escapes
    if len(text) <= LONGEST:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[: LONGEST - DIGITS - 1]}…{digest[:DIGITS]}"
