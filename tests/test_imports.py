"""What a session without gate files pays: nothing but a module of ours and the hooks' names."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {"numpy", "scipy", "yaml", "jsonschema", "msgspec"}


def loaded_by(statement: str) -> set[str]:
    """Modules that a statement loads on top of pytest."""
    script = (
        "import json, sys, pytest\n"
        "before = set(sys.modules)\n"
        f"{statement}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_plugin_loads_nothing_but_itself() -> None:
    assert loaded_by("import pytest_vigate.plugin") == {"pytest_vigate", "pytest_vigate.plugin"}


def test_session_without_gate_files_loads_nothing_heavy(tmp_path: object) -> None:
    loaded = loaded_by(f"pytest.main(['-q', '-p', 'no:cacheprovider', '--collect-only', {str(tmp_path)!r}])")
    assert "pytest_vigate.plugin" in loaded
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
