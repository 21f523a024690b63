"""What a session without gate files pays: nothing but a module of ours and the hooks' names."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from worlds import write_gate, write_replies, write_world

HEAVY = {"numpy", "scipy", "yaml", "jsonschema", "msgspec"}
#: What only schemas, units and other syntaxes than JSON need.
DOCUMENTS = {"jsonschema_rs", "pint"}
#: What only the families of texts need.
TEXTS = {"bert_score", "nltk", "rapidfuzz", "regex", "rouge_score", "sacrebleu", "sqlite3", "torch", "transformers"}


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


def test_gate_on_boxes_loads_nothing_of_texts(tmp_path: Path) -> None:
    write_world(tmp_path)
    write_gate(tmp_path, "  bbox.f1: {min: 50%}\n")
    loaded = loaded_by(f"assert pytest.main(['-q', '-p', 'no:cacheprovider', {str(tmp_path)!r}]) == 0")
    assert "pytest_vigate.metrics.bbox" in loaded
    assert {name.partition(".")[0] for name in loaded} & (TEXTS | DOCUMENTS) == set()


def test_gate_on_the_form_of_replies_loads_no_schema_and_no_units(tmp_path: Path) -> None:
    write_replies(tmp_path)
    head = "vigate: 1\ndata: {predictions: replies.jsonl}\nthresholds:\n"
    write_gate(tmp_path, "  format.compliance: {min: 50%}\n", head=head)
    loaded = loaded_by(f"assert pytest.main(['-q', '-p', 'no:cacheprovider', {str(tmp_path)!r}]) == 0")
    assert "pytest_vigate.data.syntaxes.json" in loaded
    assert {name.partition(".")[0] for name in loaded} & (TEXTS | DOCUMENTS) == set()


@pytest.mark.parametrize("parameters", ["{required: [defect_found]}", "{schema: inspection.schema.json}"])
def test_gate_on_a_schema_loads_no_scipy(tmp_path: Path, parameters: str) -> None:
    write_replies(tmp_path)
    head = f"vigate: 1\ndata: {{predictions: replies.jsonl}}\nmetrics:\n  schema: {parameters}\nthresholds:\n"
    write_gate(tmp_path, "  schema.adherence: {min: 50%}\n", head=head)
    loaded = loaded_by(f"assert pytest.main(['-q', '-p', 'no:cacheprovider', {str(tmp_path)!r}]) == 0")
    assert "jsonschema_rs" in loaded
    assert {name.partition(".")[0] for name in loaded} & {"scipy", *TEXTS} == set()
