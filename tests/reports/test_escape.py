"""Hostile text in every report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vigate.reports import escape
from reading import Run, cases
from worlds import FAR, GOOD, vi_prediction, vi_reference, vi_reply, write_gate, write_jsonl


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("car.jpg", "car.jpg"),
        ("a\x1b[31mred\x1b[0m", r"a\x1b[31mred\x1b[0m"),
        ("one\ntwo\r", r"one\x0atwo\x0d"),
        ("::error::broken", r"\::error::broken"),
        ("  ::set-output::x", r"\  ::set-output::x"),
        ("##[group]x", r"#\#[group]x"),
        ("a ##vso[task.complete result=Succeeded;]", r"a #\#vso[task.complete result=Succeeded;]"),
        ("###[error]", r"##\#[error]"),
        ("safe\u202egpj.exe", r"safe\u202egpj.exe"),
        ("\ud800", r"\ud800"),
        ("\u2028", r"\u2028"),
        ("é 日本", "é 日本"),
    ],
)
def test_text_becomes_one_printable_line(text: str, shown: str) -> None:
    assert escape.line(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_harmless_in_a_log_and_encodes(text: str) -> None:
    shown = escape.line(text)
    assert len(shown.splitlines()) <= 1
    assert not shown.lstrip().startswith("::")
    assert "##[" not in shown
    assert "##vso[" not in shown
    assert "\x1b" not in shown
    shown.encode("utf-8")


def test_long_text_is_cut() -> None:
    assert len(escape.line("x" * 100_000)) == escape.NAME
    assert escape.line("x" * 100_000).endswith("…")


HOSTILE = "\x1b[2J\n::error::owned\n]]><x>\u202e ##vso[task.complete result=Succeeded;]"


def test_names_from_data_cannot_speak_to_terminal_log_or_xml(pytester: pytest.Pytester, run: Run) -> None:
    write_jsonl(pytester.path / "predictions.jsonl", [vi_prediction(HOSTILE, vi_reply((HOSTILE, [FAR])))])
    write_jsonl(pytester.path / "references.jsonl", [vi_reference(HOSTILE, (HOSTILE, [GOOD]), lighting=HOSTILE)])
    write_gate(
        pytester.path,
        "  bbox.recall:\n    - {min: 50%, per: lighting}\n    - {min: 50%, where: {lighting: dawn}}\n"
        '    - {min: 50%, note: "\\e[2J::error::owned"}\n',
    )
    result = run("--junit-xml=gates.xml", "--vigate-json=vigate.json", "-rA")
    result.assert_outcomes(failed=2, errors=1)
    assert not [line for line in result.outlines if line.lstrip().startswith("::")]
    assert "\x1b" not in "".join(result.outlines)
    assert "\u202e" not in "".join(result.outlines)
    assert "##vso[" not in "".join(result.outlines)
    for case in cases(pytester.path / "gates.xml").values():
        texts = [str(item.text) for item in case] + [str(item.get("message")) for item in case]
        assert not [line for text in texts for line in text.splitlines() if line.lstrip().startswith("::")]
    record = json.loads(Path(pytester.path / "vigate.json").read_bytes().decode("ascii"))
    assert record["gates"][0]["verdicts"][0]["worst"][0]["id"] == HOSTILE  # data stays data
