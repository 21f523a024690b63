"""Every message of a gate file, whole: ``cases/NAME.yaml`` is refused with the lines of ``cases/NAME.expected``.

The cases are not named ``*.gate.yaml``, which would make them gates of this project.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pytest_vigate.errors import GateFileError, Problem
from pytest_vigate.gates import syntax
from pytest_vigate.gates.rules import MAX_PROBLEMS, read

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
HEAD = "vigate: 1\ndata: {predictions: predictions.jsonl}\n"
THRESHOLDS = "thresholds:\n  bbox.f1: {min: 0.75}\n"


def refuse(folder: Path, raw: bytes) -> str:
    """The messages of a gate file in ``root/gates``, as pytest shows them."""
    root = folder / "root"
    (root / "gates").mkdir(parents=True)
    path = root / "gates" / "case.gate.yaml"
    path.write_bytes(raw)
    _, problems = read(path, file="gates/case.gate.yaml", roots=(root,))
    return str(GateFileError("case.gate.yaml", problems))


def test_every_case_has_its_messages() -> None:
    expected = {path.stem for path in CASES[0].parent.glob("*.expected")}
    assert len(CASES) > 50
    assert {path.stem for path in CASES} == expected


@pytest.mark.parametrize("loader", ["libyaml", "pure"])
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_messages(case: Path, loader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if loader == "pure":
        monkeypatch.setattr(syntax, "_LOADER", yaml.SafeLoader)
    expected = case.with_suffix(".expected").read_text(encoding="utf-8")
    assert refuse(tmp_path, case.read_bytes()) + "\n" == expected


def test_not_utf8_names_line_and_column(tmp_path: Path) -> None:
    raw = (HEAD + "name: Prüfung ").encode() + b"\xfcber\n" + THRESHOLDS.encode()
    assert refuse(tmp_path, raw) == (
        "case.gate.yaml:3:15: $: the file is not UTF-8: byte 0xfc belongs to no character; save it as UTF-8"
    )


def test_above_one_mebibyte(tmp_path: Path) -> None:
    text = HEAD + THRESHOLDS
    whole = text + "#" * (1024 * 1024 - len(text))
    assert refuse(tmp_path / "whole", whole.encode()) == ""
    assert refuse(tmp_path / "above", whole.encode() + b"#") == (
        "case.gate.yaml:1:1: $: the file is larger than 1 MiB; a gate file names data, it does not hold it"
    )


def test_missing_file(tmp_path: Path) -> None:
    _, problems = read(tmp_path / "none.gate.yaml", file="none.gate.yaml", roots=(tmp_path,))
    assert problems == (Problem(1, 1, "$", "the file cannot be read: No such file or directory"),)


@pytest.mark.parametrize(
    ("brackets", "place"),
    [("[" * 100_000, "3:39: $.model" + "[0]" * 31), ("{a: " * 100_000, "3:132: $.model" + ".a" * 31)],
)
def test_deep_nesting_is_cut_early(brackets: str, place: str, tmp_path: Path) -> None:
    assert refuse(tmp_path, (HEAD + "model: " + brackets).encode()) == (
        f"case.gate.yaml:{place}: nested more than 32 levels deep"
    )


def test_deep_block_nesting_is_cut_early(tmp_path: Path) -> None:
    message = refuse(tmp_path, ("- " * 100_000).encode())
    assert message == f"case.gate.yaml:1:65: ${'[0]' * 32}: nested more than 32 levels deep"


def test_deepest_allowed_nesting(tmp_path: Path) -> None:
    # The top mapping and 31 lists are 32 levels.
    assert refuse(tmp_path, (HEAD + THRESHOLDS + "model: {a: " + "[" * 30 + "]" * 30 + "}").encode()) == ""


def test_most_nodes_allowed(tmp_path: Path) -> None:
    # One list of 9 999 scalars: 10 000 nodes; nine aliases of it: 90 000 more. Beside them stand the list of
    # lists, six keys and 5 other nodes.
    many = "x: &x [" + "a," * 9_999 + "]\n"
    text = f"{HEAD}{THRESHOLDS}model:\n  {many}  y: [*x, *x, *x, *x, *x, *x, *x, *x, *x"
    assert "more than 100 000 nodes" in refuse(tmp_path / "above", (text + "]\n").encode())
    below = text.replace("a," * 9_999, "a," * 9_996)
    assert refuse(tmp_path / "below", (below + "]\n").encode()) == ""


def test_most_text_allowed(tmp_path: Path) -> None:
    text = HEAD + THRESHOLDS + "model: {a: &a '" + "x" * 1_000_000 + "', b: [*a, *a, *a"
    assert refuse(tmp_path / "below", (text + "]}").encode()) == ""
    assert refuse(tmp_path / "above", (text + ", *a]}").encode()) == (
        "case.gate.yaml:5:1000022: $.model.b: the file expands to more than 4 MiB of text"
    )


def test_only_the_first_problems_are_shown(tmp_path: Path) -> None:
    text = HEAD + "thresholds:\n" + "".join(f"  bbox{i}: {{min: 1}}\n" for i in range(5000))
    lines = refuse(tmp_path, text.encode()).splitlines()
    assert len(lines) == MAX_PROBLEMS + 1
    assert lines[0] == (
        "case.gate.yaml:4:3: $.thresholds.bbox0: expected a score such as bbox.f1, found 'bbox0'; "
        "write it as family.score"
    )
    assert lines[-1] == "case.gate.yaml:104:3: $.thresholds.bbox100: this problem and what follows it are not shown"


def test_another_version_is_the_only_problem_wherever_it_stands(tmp_path: Path) -> None:
    text = "".join(f"key{i}: {{}}\n" for i in range(200)) + "vigate: 2\n"
    assert refuse(tmp_path, text.encode()) == (
        "case.gate.yaml:201:9: $.vigate: this release reads version 1, found the number 2; use a newer pytest-vigate"
    )


def test_many_unknown_keys_cost_little(tmp_path: Path) -> None:
    text = HEAD + THRESHOLDS + "".join(f"key{i}: {{}}\n" for i in range(30_000))
    lines = refuse(tmp_path, text.encode()).splitlines()
    assert len(lines) == MAX_PROBLEMS + 1
    assert lines[0].startswith("case.gate.yaml:5:1: $.key0: unknown key 'key0'; known here: vigate, name, ")


def test_link_to_outside(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("{}\n", encoding="utf-8")
    (tmp_path / "root" / "data").mkdir(parents=True)
    (tmp_path / "root" / "data" / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    (tmp_path / "root" / "data" / "loop.jsonl").symlink_to(tmp_path / "root" / "data" / "loop.jsonl")
    text = "vigate: 1\ndata: {predictions: ../data/link.jsonl, references: '../data/l*k.jsonl'}\n" + THRESHOLDS
    path = tmp_path / "root" / "gates" / "case.gate.yaml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    _, problems = read(path, file="gates/case.gate.yaml", roots=(tmp_path / "root",))
    assert str(GateFileError("case.gate.yaml", problems)).splitlines() == [
        "case.gate.yaml:2:21: $.data.predictions: '../data/link.jsonl' is a link that leads outside the root; "
        "keep it below the root, or name its folder in the ini option vigate_data_roots",
        "case.gate.yaml:2:53: $.data.references: 'link.jsonl', which matches, is a link that leads outside the root; "
        "keep it below the root, or name its folder in the ini option vigate_data_roots",
    ]
