"""Hyperparameters of a run: what the gate names counts for every format, what a tool writes is an offer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest

from data.test_log_tables import METRICS
from data.test_log_tensorboard import scalars
from data.world import World, message
from pytest_vigate.data.logs import read_training
from pytest_vigate.data.objects import ENTRIES
from pytest_vigate.data.tables import Source

ROW = {"loss": 1.0, "step": 1}
DECLARED = "lr: 0.5\n"


def columns(world: World) -> str:
    world.write("run/log.csv", "step,loss\n1,1\n")
    return "run/log.csv"


def records(world: World) -> str:
    world.write_lines("run/log.jsonl", ROW)
    return "run/log.jsonl"


def keras(world: World) -> str:
    world.write("run/log.csv", "epoch,loss\n0,1\n")
    return "run/log.csv"


def lightning(world: World) -> str:
    world.write("run/metrics.csv", METRICS)
    world.write("run/hparams.yaml", "lr: 1\n")
    return "run"


def ultralytics(world: World) -> str:
    world.write("run/results.csv", "epoch,train/loss\n1,1\n")
    world.write("run/args.yaml", "lr: 1\n")
    return "run"


def transformers(world: World) -> str:
    world.write_json("run/trainer_state.json", {"log_history": [ROW], "max_steps": 3, "trial_params": {"lr": 1}})
    return "run"


def llama(world: World) -> str:
    world.write_lines("run/trainer_log.jsonl", {"loss": 1.0, "current_steps": 1, "total_steps": 1})
    world.write("run/training_args.yaml", "lr: 1\n")
    return "run"


def swift(world: World) -> str:
    world.write_lines("run/logging.jsonl", {"loss": 1.0, "global_step/max_steps": "1/1"})
    world.write("run/args.json", '{"lr": 1}')
    return "run"


def tensorboard(world: World) -> str:
    world.write("run/events.out.tfevents.1", scalars(loss=[(1, 1)]))
    return "run"


def vi(world: World) -> str:
    checkpoint = {"id": "a", "epoch": 1, "evaluation_metrics": {"train_loss": 1.0}}
    facts = {"id": "r", "flow": {"settings": {"lr": 1}}}
    world.write_json("run/vi.json", {"vigate": 1, "source": "vi", "run": facts, "checkpoints": [checkpoint]})
    return "run/vi.json"


FORMATS: dict[str, Callable[[World], str]] = {
    "csv": columns,
    "jsonl": records,
    "keras": keras,
    "lightning": lightning,
    "ultralytics": ultralytics,
    "hf-trainer": transformers,
    "llama-factory": llama,
    "ms-swift": swift,
    "tensorboard": tensorboard,
    "vi": vi,
}  # and mlflow, in test_log_mlflow
every = pytest.mark.parametrize("form", FORMATS)


@every
def test_declared_hyperparameters_are_those_of_every_format(world: World, form: str) -> None:
    path = FORMATS[form](world)
    file = world.write("declared.yaml", DECLARED)
    log = world.log(path, form=form, hyperparameters="declared.yaml")
    assert log.hyperparameters is not None
    log.hyperparameters.sums[file] = "of what was read before"
    found = read_training(log)
    assert found.hyperparameters == {"lr": 0.5}
    assert found.declared is not None
    assert found.declared.sums == {file: sha256(DECLARED.encode()).hexdigest()}
    assert not any("hyperparameters" in note for note in found.notes)
    beside = {"hparams.yaml", "args.yaml", "training_args.yaml", "args.json"}
    assert not beside & {path.name for path in found.source.sums}


@every
def test_declared_hyperparameters_have_to_be_there_for_every_format(world: World, form: str) -> None:
    path = FORMATS[form](world)
    assert message(lambda: world.training(path, form=form, hyperparameters="gone.yaml")) == (
        "gone.yaml: there is no such file; check the path, it is relative to the gate file"
    )


@pytest.mark.parametrize("form", ["lightning", "ultralytics", "hf-trainer", "llama-factory", "ms-swift", "vi"])
def test_what_a_tool_writes_is_read_where_nothing_is_declared(world: World, form: str) -> None:
    found = world.training(FORMATS[form](world), form=form)
    expected = {"hf-trainer": {"max_steps": 3, "lr": 1}, "vi": {"settings.lr": 1}}.get(form, {"lr": 1})
    assert found.hyperparameters == expected
    assert found.declared is None


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("h.json", "{", "h.json:1:1: this is not JSON: unclosed bracket; correct it"),
        ("h.yaml", "- 1\n", "h.yaml: the file holds a list of 1, where an object of values by name is due"),
        ("h.json", "[1]", "h.json: the file holds a list of 1, where an object of values by name is due"),
        ("h.yaml", "a: 1\na: 2\n", "h.yaml:2:1: this is not YAML: duplicate key; correct it"),
        (
            "h.yaml",
            "a: {b: 1}\na.b: 2\n",
            "h.yaml: the name 'a.b' is there twice, nested and with dots; keep the one meant",
        ),
        (
            "h.json",
            json.dumps({f"k{i}": i for i in range(ENTRIES + 1)}),
            "h.json: the file has more than 100000 entries; write what is judged into one of its own",
        ),
        (
            "h.yaml",
            f"a: {'b' * (1 << 22)}\n",
            "h.yaml: the file has 4194308 bytes, and 4194304 are read; write what is judged into a file of its own",
        ),
    ],
)
def test_hyperparameters_that_cannot_be_read_are_named(world: World, name: str, text: str, expected: str) -> None:
    path = columns(world)
    world.write(name, text)
    assert message(lambda: world.training(path, form="csv", hyperparameters=name)) == expected


@pytest.mark.parametrize(("tool", "name"), [(lightning, "hparams.yaml"), (swift, "args.json")])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a.b": 1, "a": {"b": 2}}', "the name 'a.b' is there twice, nested and with dots; keep the one meant"),
        ("[1]", "the file holds a list of 1, where an object of values by name is due"),
        (
            json.dumps({f"k{i}": i for i in range(ENTRIES + 1)}),
            "the file has more than 100000 entries; write what is judged into one of its own",
        ),
    ],
)
def test_hyperparameters_that_are_an_offer_are_noted(
    world: World, tool: Callable[[World], str], name: str, text: str, expected: str
) -> None:
    path = tool(world)
    world.write(f"run/{name}", text)
    found = world.training(path)
    assert found.hyperparameters == {}
    assert found.notes[0] == f"hyperparameters are not read: run/{name}: {expected}"


def test_size_is_looked_at_before_a_file_is_read(world: World) -> None:
    path = lightning(world)
    with (world.root / "run/hparams.yaml").open("wb") as file:
        file.truncate(1 << 40)  # a hole: nothing can read it
    assert world.training(path).notes[0] == (
        "hyperparameters are not read: run/hparams.yaml: the file has 1099511627776 bytes, and 4194304 are read; write "
        "what is judged into a file of its own"
    )


def test_several_files_of_hyperparameters_are_refused(world: World) -> None:
    log = world.log(columns(world), form="csv")
    files = tuple(world.write(name, DECLARED) for name in ("a.yaml", "b.yaml"))
    for paths, expected in (
        (files, "*.yaml: 2 files of hyperparameters; name the one of the run"),
        ((), "*.yaml: no file has this name; check the path, it is relative to the gate file"),
    ):
        source = Source("hyperparameters", "*.yaml", paths, (world.root,))
        assert message(lambda s=source: read_training(replace(log, hyperparameters=s))) == expected  # type: ignore[misc]  # bound now


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("tensorboard", "vi")])
def test_run_is_refused_where_a_file_holds_one(world: World, form: str) -> None:
    path = FORMATS[form](world)
    assert message(lambda: world.training(path, form=form, run="other")) == (
        f"{path}: run: a file of this format holds one run; leave run out"
    )


def test_gates_without_training_load_no_readers_of_logs() -> None:
    script = (
        "import sys, pytest_vigate.metrics.hyper; "
        "print([name for name in sys.modules if name.startswith('pytest_vigate.data.logs.')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
