from __future__ import annotations

import contextlib
import math
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data.world import World, message
from pytest_vigate.errors import DataError

#: As MLflow 3.17.2 creates them, the tables that are read and what they refer to.
SCHEMA = """\
CREATE TABLE experiments (
    experiment_id INTEGER NOT NULL, name VARCHAR(256) NOT NULL, artifact_location VARCHAR(256),
    lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT,
    workspace VARCHAR(63) DEFAULT 'default' NOT NULL,
    CONSTRAINT experiment_pk PRIMARY KEY (experiment_id),
    CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')));
CREATE TABLE "runs" (
    run_uuid VARCHAR(32) NOT NULL, name VARCHAR(250), source_type VARCHAR(20), source_name VARCHAR(500),
    entry_point_name VARCHAR(50), user_id VARCHAR(256), status VARCHAR(9), start_time BIGINT, end_time BIGINT,
    source_version VARCHAR(50), lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER,
    deleted_time BIGINT,
    CONSTRAINT run_pk PRIMARY KEY (run_uuid),
    CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')),
    CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')),
    FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id),
    CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED')));
CREATE TABLE "metrics" (
    "key" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL, run_uuid VARCHAR(32) NOT NULL,
    step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan),
    FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid),
    CHECK (is_nan IN (0, 1)));
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE TABLE "params" (
    "key" VARCHAR(250) NOT NULL, value VARCHAR(8000) NOT NULL, run_uuid VARCHAR(32) NOT NULL,
    CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid),
    FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid));
CREATE TABLE "tags" (
    "key" VARCHAR(250) NOT NULL, value VARCHAR(8000), run_uuid VARCHAR(32) NOT NULL,
    CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid),
    FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid));
"""
A, B, C = "a" * 32, "b" * 32, "c" * 32
DATABASE, STORE = "mlflow.db", "mlruns"
STATUS = {"RUNNING": 1, "SCHEDULED": 2, "FINISHED": 3, "FAILED": 4, "KILLED": 5}

#: Key, time, value, step.
Point = tuple[str, int, float, int]


class Stores:
    """The same runs in a database and in a file store."""

    def __init__(self, world: World) -> None:
        self.world = world
        with self.connect() as connection:
            connection.executescript(SCHEMA)
        world.write(
            f"{STORE}/0/meta.yaml", "artifact_location: x\nexperiment_id: '0'\nlifecycle_stage: active\nname: D\n"
        )

    @contextlib.contextmanager
    def connect(self) -> Any:
        connection = sqlite3.connect(self.world.root / DATABASE)
        try:
            yield connection
            connection.commit()
        finally:
            connection.close()

    def add(
        self,
        run: str = A,
        *points: Point,
        name: str | None = "first",
        status: str = "FINISHED",
        stage: str = "active",
        params: dict[str, str] | None = None,
        tag: str | None = None,
    ) -> None:
        params = params or {}
        tags = {} if tag is None else {"mlflow.runName": tag}
        with self.connect() as connection:
            connection.execute(
                "INSERT INTO runs (run_uuid, name, status, lifecycle_stage, source_type, experiment_id) VALUES "
                "(?, ?, ?, ?, 'LOCAL', 0)",
                [run, name, status, stage],
            )
            # SqlAlchemyStore.sanitize_metric_value
            stored = [
                (key, 0.0 if math.isnan(value) else max(min(value, 1.7976931348623157e308), -1.7976931348623157e308))
                for key, _, value, _ in points
            ]
            connection.executemany(
                "INSERT OR IGNORE INTO metrics VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (key, value, time, run, step, math.isnan(original))
                    for (key, value), (_, time, original, step) in zip(stored, points, strict=True)
                ],
            )
            connection.executemany("INSERT INTO params VALUES (?, ?, ?)", [(*pair, run) for pair in params.items()])
            connection.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(*pair, run) for pair in tags.items()])
        folder = f"{STORE}/0/{run}"
        given = "" if name is None else f"run_name: {name}\n"
        self.world.write(
            f"{folder}/meta.yaml",
            f"end_time: null\nexperiment_id: '0'\nlifecycle_stage: {stage}\nrun_id: {run}\n{given}"
            f"source_name: ''\nstatus: {STATUS[status]}\ntags: []\n",
        )
        lines: dict[str, str] = {}
        for key, time, value, step in points:
            lines[key] = lines.get(key, "") + f"{time} {value} {step}\n"
        for key, text in lines.items():
            self.world.write(f"{folder}/metrics/{key}", text)
        for key, text in params.items():
            self.world.write(f"{folder}/params/{key}", text)
        for key, text in tags.items():
            self.world.write(f"{folder}/tags/{key}", text)

    def execute(self, *statements: str) -> None:
        with self.connect() as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute("PRAGMA writable_schema = ON")
            for statement in statements:
                connection.execute(statement)


@pytest.fixture
def stores(world: World) -> Stores:
    return Stores(world)


both = pytest.mark.parametrize("path", [DATABASE, STORE])


def curve(values: Sequence[float], key: str = "loss", start: int = 1, time: int = 1000) -> list[Point]:
    return [(key, time + i, value, start + i) for i, value in enumerate(values)]


@both
def test_points_parameters_and_losses_of_a_run(world: World, stores: Stores, path: str) -> None:
    params = {
        "lr": "0.0001",
        "epochs": "3",
        "name": "qwen",
        "opt/beta": "9e-1",
        "flag": "True",
        "none": "None",
        "id": "007",
    }
    stores.add(A, *curve([3, 2, 1]), *curve([2.5, 1.5], "eval/loss", start=2), params=params)
    training = world.training(path)
    assert training.source.format == "mlflow"
    assert training.train is training.curve("loss")
    assert training.validation is training.curve("eval/loss")
    assert training.curve("loss").step.tolist() == [1, 2, 3]
    assert training.curve("loss").value.tolist() == [3, 2, 1]
    assert training.curve("eval/loss").step.tolist() == [2, 3]
    assert training.hyperparameters == {
        "lr": 0.0001,
        "epochs": 3,
        "name": "qwen",
        "opt/beta": 0.9,
        "flag": True,
        "none": None,
        "id": "007",
    }
    assert training.notes == (
        "read as train loss 'loss' (3 points, steps 1 to 3); validation loss 'eval/loss' (2 points, steps 2 to 3)",
    )


@both
def test_numbers_that_are_none_are_restored(world: World, stores: Stores, path: str) -> None:
    stores.add(A, *curve([math.nan, math.inf, -math.inf, 0.0]))
    value = world.training(path).curve("loss").value
    assert math.isnan(value[0])
    assert value[1:].tolist() == [math.inf, -math.inf, 0]


@both
def test_of_several_points_of_a_step_the_latest_counts(world: World, stores: Stores, path: str) -> None:
    stores.add(A, ("loss", 10, 7.5, 3), ("loss", 9, 8.5, 3), ("loss", 8, 9, 2), ("loss", 8, math.nan, 2))
    training = world.training(path)
    assert training.curve("loss").step.tolist() == [2, 3]
    assert math.isnan(training.curve("loss").value[0])  # of one time: what fails a gate
    assert training.curve("loss").value[1] == 7.5
    assert training.notes[0] == "2 steps of 'loss' are there twice; the last one counts"


@both
def test_run_that_was_resumed_is_seen_by_its_times(world: World, stores: Stores, path: str) -> None:
    # Steps 1 to 4, then again from 3: the old 3 and 4 are of a branch that is given up, also in the other series.
    stores.add(
        A,
        *curve([5, 4, 3, 2], time=100),
        *curve([2.9], start=3, time=200),
        *curve([9, 8], "eval_loss", start=3, time=102),
        *curve([1], "eval_loss", start=3, time=200),
    )
    where = {DATABASE: DATABASE, STORE: f"{STORE}/0/{A}/metrics/eval_loss:3"}[path]
    said = message(lambda: world.training(path))
    assert said.startswith(f"{where}: the step of 'eval_loss' goes back from 4 to 3; if the run was resumed, declare")
    training = world.training(path, on_resume="last")
    assert training.curve("loss").value.tolist() == [5, 4, 2.9]
    assert training.curve("eval_loss").value.tolist() == [1]


@both
def test_series_that_a_resumed_run_has_not_logged_again_is_left_out(world: World, stores: Stores, path: str) -> None:
    stores.add(A, *curve([5, 4, 3, 2], time=100), *curve([2.9], start=3, time=200), ("eval_loss", 103, 9, 4))
    training = world.training(path, on_resume="last")
    assert list(training.curves) == ["loss"]
    assert training.notes == (
        "the run was resumed: what was logged before from step 3 on is replaced",
        "'eval_loss' was not logged again after the run was resumed, and is left out",
        "read as train loss 'loss' (3 points, steps 1 to 3)",
    )


@both
def test_run_is_named_by_id_or_name(world: World, stores: Stores, path: str) -> None:
    stores.add(A, *curve([1]))
    stores.add(B, *curve([2]), name="second", status="FAILED")
    stores.add(C, *curve([3]), name="second", stage="deleted")
    assert world.training(path, run=A).curve("loss").value.tolist() == [1]
    assert world.training(path, run="first").curve("loss").value.tolist() == [1]
    second = world.training(path, run="second")
    assert second.curve("loss").value.tolist() == [2]
    assert second.notes[0] == f"the run '{B}' is FAILED: its log may not be whole"
    assert message(lambda: world.training(path)) == (
        f"{path}: there are 2 runs; say which one is judged, as run: ID. The runs: '{A}' ('first', FINISHED), "
        f"'{B}' ('second', FAILED)"
    )
    assert message(lambda: world.training(path, run=C)) == (
        f"{path}: the run '{C}' is deleted; restore it, or name another one"
    )
    assert message(lambda: world.training(path, run="secnd")) == (
        f"{path}: there is no run 'secnd'; did you mean 'second'?"
    )


@both
def test_name_that_several_runs_have_is_refused(world: World, stores: Stores, path: str) -> None:
    for run in (A, B):
        stores.add(run, *curve([1]), name="same")
    assert message(lambda: world.training(path, run="same")) == (
        f"{path}: 2 runs have the name 'same'; say which one by its id. The runs: '{A}' ('same', FINISHED), "
        f"'{B}' ('same', FINISHED)"
    )


@both
def test_many_runs_are_not_all_listed(world: World, stores: Stores, path: str) -> None:
    for i in range(12):
        stores.add(f"{i:032d}", *curve([1]), name=f"run {i}")
    said = message(lambda: world.training(path))
    assert said.endswith("('run 9', FINISHED) and 2 more")
    assert said.count("FINISHED") == 10


@both
def test_without_a_run_there_is_nothing_to_judge(world: World, stores: Stores, path: str) -> None:
    assert message(lambda: world.training(path)) == f"{path}: there is no run; check the path"
    stores.add(A, *curve([1]), stage="deleted")
    assert message(lambda: world.training(path)) == f"{path}: there is no run but 1 deleted; check the path"
    stores.add(B)
    assert message(lambda: world.training(path)) == f"{path}: the log has no points; zero points prove nothing"


@both
def test_older_versions_keep_the_name_in_a_tag(world: World, stores: Stores, path: str) -> None:
    stores.add(A, *curve([1]), name=None, tag="old")
    stores.add(B, *curve([2]))
    assert world.training(path, run="old").curve("loss").value.tolist() == [1]


@both
@pytest.mark.parametrize(
    ("epochs", "finished"),
    [
        ([0.5, 1.0, 1.5], [0.5, 1.0, 1.5]),  # Transformers
        ([1, 2, 3], [1, 2, 3]),
        ([0, 0, 1], [1, 1, 2]),  # Lightning: the epoch that runs
    ],
)
def test_logged_epoch_dates_the_points(
    world: World, stores: Stores, path: str, epochs: list[float], finished: list[float]
) -> None:
    stores.add(A, *curve([3, 2, 1, 0]), *curve(epochs, "epoch"), *curve(epochs, "era"))
    found = world.training(path).curve("loss").epoch
    assert found[:3].tolist() == finished
    assert math.isnan(found[3])
    assert world.training(path, series={"epoch": "era"}).curve("loss").epoch[:3].tolist() == finished
    assert message(lambda: world.training(path, series={"epoch": "eras"})) == (
        f"{path}: series: epoch is 'eras', which the log does not have; did you mean 'era'?"
    )
    assert message(lambda: world.training(path, series={"step": "era"})) == (
        f"{path}: MLflow has a step with every point; leave 'step' out of series"
    )


@both
def test_filter_of_transformers_is_known_by_its_parameter(world: World, stores: Stores, path: str) -> None:
    stores.add(A, *curve([1]), params={"logging_nan_inf_filter": "True"})
    stores.add(B, *curve([1]), params={"logging_nan_inf_filter": "False"})
    assert world.training(path, run=A).filtered
    assert not world.training(path, run=B).filtered


@both
def test_series_are_bounded(world: World, stores: Stores, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    stores.add(A, *curve([1]), *curve([1], "f1"))
    monkeypatch.setattr("pytest_vigate.data.logs.mlflow.MOST_SERIES", 1)
    assert message(lambda: world.training(path)) == (
        f"{path}: 2 series, where 1 are read; log what is judged in a run of its own"
    )


@both
def test_step_below_zero_is_refused(world: World, stores: Stores, path: str) -> None:
    stores.add(A, *curve([1], start=-1))
    assert message(lambda: world.training(path)).endswith(": 'loss' is logged at step -1; steps count from 0")


@both
def test_declared_hyperparameters_replace_those_of_the_run(world: World, stores: Stores, path: str) -> None:
    stores.add(A, *curve([1]), params={"lr": "1"})
    world.write("declared.yaml", "lr: 2")
    assert world.training(path, hyperparameters="declared.yaml").hyperparameters == {"lr": 2}


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["loss", "eval/loss"]), st.integers(0, 5), st.floats(width=32), st.integers(0, 5)),
        min_size=1,
        max_size=20,
    )
)
def test_both_stores_say_the_same(tmp_path_factory: pytest.TempPathFactory, points: list[Point]) -> None:
    world = World(tmp_path_factory.mktemp("stores"))
    Stores(world).add(A, *points)
    one, other = (world.training(path, on_resume="last") for path in (DATABASE, STORE))
    assert one.curves.keys() == other.curves.keys()
    for name in one.curves:
        assert one.curve(name).step.tolist() == other.curve(name).step.tolist()
        # SQLite knows no zero below zero.
        assert repr((one.curve(name).value + 0.0).tolist()) == repr((other.curve(name).value + 0.0).tolist())


@pytest.mark.parametrize("path", [STORE, f"{STORE}/0", f"{STORE}/0/{A}"])
def test_path_may_be_the_store_an_experiment_or_a_run(world: World, stores: Stores, path: str) -> None:
    stores.add(A, *curve([1, 2]))
    training = world.training(path)
    assert training.curve("loss").value.tolist() == [1, 2]
    assert sorted(file.name for file in training.source.sums) == ["loss", "meta.yaml"]


def test_deleted_experiments_are_not_looked_at(world: World, stores: Stores) -> None:
    stores.add(A, *curve([1]))
    world.write(f"{STORE}/.trash/1/meta.yaml", "experiment_id: '1'\n")
    world.write(f"{STORE}/.trash/1/{B}/meta.yaml", f"experiment_id: '1'\nrun_id: {B}\n")
    assert world.training(STORE).curve("loss").value.tolist() == [1]


def test_lines_of_the_file_store_have_two_three_or_five_fields(world: World, stores: Stores) -> None:
    stores.add(A, *curve([1]))
    world.write(f"{STORE}/0/{A}/metrics/f1", "1 0.5\n")
    world.write(f"{STORE}/0/{A}/metrics/f2", "1 0.5 7 digits 0a1b\r\n\n2 inf 8 digits 0a1b\n")
    training = world.training(STORE)
    assert training.curve("f1").step.tolist() == [0]
    assert training.curve("f2").step.tolist() == [7, 8]  # MLflow 3.17.2 itself reads 0 and 0 here
    assert training.curve("f2").value.tolist() == [0.5, math.inf]


@pytest.mark.parametrize(
    "line",
    [
        "1 2 3 4",
        "1 2 3 4 5 6",
        "x 2 3",
        "1 two 3",
        "1 1_0 3",
        "1 0x1 3",
        "1 2 3.5",
        "1  2 3",
        "1 2 99999999999999999999",
    ],
)
def test_other_lines_are_refused_with_their_place(world: World, stores: Stores, line: str) -> None:
    stores.add(A, *curve([1]))
    world.write(f"{STORE}/0/{A}/metrics/f1", f"1 0.5 1\n{line}\n")
    assert message(lambda: world.training(STORE)) == (
        f"{STORE}/0/{A}/metrics/f1:2: '{line}' is no point of MLflow; 'timestamp value step' was expected"
    )


def test_line_that_is_cut_off_is_left_out(world: World, stores: Stores) -> None:
    stores.add(A)
    world.write(f"{STORE}/0/{A}/metrics/loss", "1 0.5 1\n2 0.4")
    training = world.training(STORE)
    assert training.curve("loss").value.tolist() == [0.5]
    assert training.notes[0] == f"the last line of '{STORE}/0/{A}/metrics/loss' is cut off and left out"


def test_link_out_of_the_roots_is_not_followed(tmp_path: Path) -> None:
    world = World(tmp_path / "root")
    world.root.mkdir()
    Stores(world).add(A, *curve([1]))
    (tmp_path / "secret").write_text("1 2 3\n", encoding="utf-8")
    (world.root / STORE / "0" / A / "metrics" / "f1").symlink_to(tmp_path / "secret")
    assert "this path leads out of the folders that data may come from" in message(lambda: world.training(STORE))


def test_links_in_a_circle_end(world: World, stores: Stores) -> None:
    stores.add(A, *curve([1]))
    (world.root / STORE / "0" / A / "metrics" / "again").symlink_to(world.root / STORE / "0" / A / "metrics")
    assert list(world.training(STORE).curves) == ["loss"]


@pytest.mark.parametrize("text", ["[" * 100_000, "a: &a [*a]", "- 1", ""])
def test_meta_file_that_is_none_is_refused(world: World, stores: Stores, text: str) -> None:
    world.write(f"{STORE}/0/meta.yaml", text)
    assert message(lambda: world.training(STORE, form="mlflow")).startswith(
        f"{STORE}/0/meta.yaml: this is no meta.yaml of MLflow: "
    )


def test_folder_and_file_of_something_else_are_refused(world: World) -> None:
    paths = "the path is that of mlflow.db, of mlruns, or of an experiment or run in it"
    world.write("other/a.txt", "x")
    assert message(lambda: world.training("other", form="mlflow")) == (
        f"other: no folder in it has a meta.yaml of MLflow; {paths}"
    )
    assert message(lambda: world.training("other/a.txt", form="mlflow")) == (
        f"other/a.txt: this is no SQLite database; {paths}"
    )
    with contextlib.closing(sqlite3.connect(world.root / "b.db")) as connection:
        connection.execute("CREATE TABLE words (word)")
    assert message(lambda: world.training("b.db")) == (
        "b.db: this database has no table 'runs': it is none of MLflow's; check the path"
    )


def test_database_that_somebody_writes_to_is_refused(world: World, stores: Stores) -> None:
    stores.add(A, *curve([1]))
    with contextlib.closing(sqlite3.connect(world.root / DATABASE, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert message(lambda: world.training(DATABASE)) == (
            f"{DATABASE}: the database is locked: somebody writes to it; close what uses it, then run again"
        )
        writer.execute("ROLLBACK")
    assert world.training(DATABASE).curve("loss").value.tolist() == [1]


def test_changes_that_are_not_in_the_file_yet_are_not_passed_over(world: World, stores: Stores) -> None:
    stores.add(A, *curve([1]))
    with contextlib.closing(sqlite3.connect(world.root / DATABASE)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("UPDATE metrics SET value = 2")
        writer.commit()
        assert message(lambda: world.training(DATABASE)) == (
            f"{DATABASE}: {DATABASE}-wal beside it holds changes that are not in the file yet; close what uses the "
            "database, then run again"
        )
    # closed: the log is in the file, which still is one that is written with such a log
    assert world.training(DATABASE).curve("loss").value.tolist() == [2]
    assert sorted(path.name for path in world.root.iterdir()) == [DATABASE, STORE]


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_journal_that_is_no_file_is_not_waited_for(world: World, stores: Stores, ending: str) -> None:
    stores.add(A, *curve([1]))
    os.mkfifo(world.root / f"{DATABASE}{ending}")
    assert message(lambda: world.training(DATABASE)) == (
        f"{DATABASE}: {DATABASE}{ending} beside it is no file, where SQLite keeps changes; remove it"
    )


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_journal_out_of_the_roots_is_not_opened(tmp_path: Path, ending: str) -> None:
    world = World(tmp_path / "root")
    world.root.mkdir()
    Stores(world).add(A, *curve([1]))
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    (world.root / f"{DATABASE}{ending}").symlink_to(tmp_path / "secret")
    assert message(lambda: world.training(DATABASE)).startswith(
        f"{DATABASE}{ending}: this path leads out of the folders that data may come from"
    )


@pytest.mark.parametrize("folder", ["0", f"0/{A}"])
def test_meta_file_that_is_a_pipe_is_not_waited_for(world: World, stores: Stores, folder: str) -> None:
    stores.add(A, *curve([1]))
    place = f"{STORE}/{folder}"
    (world.root / place / "meta.yaml").unlink()
    os.mkfifo(world.root / place / "meta.yaml")
    said = f"{place}/meta.yaml: this is a device or a pipe, where a file is due; name a file"
    assert message(lambda: world.training(STORE, form="mlflow")) == said
    assert message(lambda: world.training(place, form="mlflow")) == said
    # Without a format its signs are looked for, also one folder below: the experiment has a run that bears them.
    looked = message(lambda: world.training(place))
    assert looked == said if folder == "0" else looked.startswith(f"{place}: no format of training logs fits")


def test_file_names_are_no_part_of_an_address(world: World, stores: Stores) -> None:
    stores.add(A, *curve([1]))
    odd = "a?mode=rwc#%00.db"
    (world.root / DATABASE).rename(world.root / odd)
    assert world.training(odd).curve("loss").value.tolist() == [1]
    assert sorted(path.name for path in world.root.iterdir()) == [odd, STORE]


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            ["DROP TABLE metrics", "CREATE VIEW metrics AS SELECT 1 AS key"],
            "'metrics' is no plain table in this database, as it is in one that MLflow wrote",
        ),
        (
            [
                "DROP TABLE metrics",
                "INSERT INTO sqlite_master VALUES ('table', 'metrics', 'metrics', 0, "
                "'CREATE VIRTUAL TABLE metrics USING fts5 (key, value, timestamp, step, is_nan, run_uuid)')",
            ],
            "'metrics' is no plain table in this database, as it is in one that MLflow wrote",
        ),
        (
            ["DROP TABLE params", "CREATE TABLE params (key, run_uuid, value AS (hex(key)))"],
            "the table 'params' has no column 'value'; databases of MLflow before 1.0 have to be upgraded first, with "
            "mlflow db upgrade",
        ),
        (
            ["UPDATE metrics SET value = 'high'"],
            "a row of the table 'metrics' has other things than numbers, where a time, a step and a value are due; "
            "MLflow did not write it",
        ),
        (
            ["UPDATE metrics SET step = 1.5"],
            "a row of the table 'metrics' has other things than numbers, where a time, a step and a value are due; "
            "MLflow did not write it",
        ),
        (
            ["UPDATE metrics SET key = CAST(x'ff' AS TEXT)"],
            "\"b'\\\\xff'\" in it is no UTF-8 text; MLflow did not write it",
        ),
        (
            ["UPDATE metrics SET key = zeroblob(2000000)"],
            "the database cannot be read: 'string or blob too big'; check it with PRAGMA integrity_check",
        ),
    ],
)
def test_database_that_mlflow_did_not_write_is_refused(
    world: World, stores: Stores, statements: list[str], said: str
) -> None:
    stores.add(A, *curve([1]))
    stores.execute(*statements)
    assert message(lambda: world.training(DATABASE)) == f"{DATABASE}: {said}"


def test_schema_that_is_none_is_refused(world: World, stores: Stores) -> None:
    stores.add(A, *curve([1]))
    stores.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE (' WHERE name = 'metrics'")
    assert message(lambda: world.training(DATABASE)).startswith(
        f"{DATABASE}: the database cannot be read: 'malformed database schema (metrics)"
    )


def test_triggers_and_stray_tables_are_nothing_to_us(world: World, stores: Stores) -> None:
    stores.add(A, *curve([1]))
    stores.execute("CREATE TRIGGER t AFTER INSERT ON metrics BEGIN SELECT 1; END", "CREATE VIEW v AS SELECT * FROM v")
    assert world.training(DATABASE).curve("loss").value.tolist() == [1]


def test_index_that_lies_is_passed_over(world: World, stores: Stores) -> None:
    stores.add(A, *curve([1, 2]))
    stores.add(B, *curve([3]), stage="deleted")
    # The index on the run is given the page of an empty one: by it, there are no points.
    stores.execute(
        "CREATE TABLE bare (run_uuid)",
        "CREATE INDEX none ON bare (run_uuid)",
        "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'none') "
        "WHERE name = 'index_metrics_run_uuid'",
    )
    assert world.training(DATABASE).curve("loss").value.tolist() == [1, 2]


def test_pages_in_circles_end(world: World, stores: Stores) -> None:
    stores.add(A, *[("loss", i, 1.0 / (i + 1), i) for i in range(20_000)])
    path = world.root / DATABASE
    with stores.connect() as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'metrics'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(path.read_bytes())
    start = (root - 1) * size
    assert content[start] == 5  # an inner page of a table: its cells begin with the number of a page below
    count = int.from_bytes(content[start + 3 : start + 5], "big")
    for i in range(count):
        cell = start + int.from_bytes(content[start + 12 + 2 * i : start + 14 + 2 * i], "big")
        content[cell : cell + 4] = root.to_bytes(4, "big")
    path.write_bytes(content)
    assert message(lambda: world.training(DATABASE)) == (
        f"{DATABASE}: the database cannot be read: 'database disk image is malformed'; check it with PRAGMA "
        "integrity_check"
    )


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 1 << 17), st.binary(min_size=1, max_size=8)), min_size=1, max_size=8))
@example([(28, b"\1")])  # pages in the header: the file itself is opened before its copy is, for its locks
def test_broken_bytes_end_in_a_message_or_in_a_run(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]]
) -> None:
    world = World(tmp_path_factory.mktemp("broken"))
    Stores(world).add(A, *curve([1.0] * 200))
    content = bytearray((world.root / DATABASE).read_bytes())
    for place, new in changes:
        at = place % len(content)
        content[at : at + len(new)] = new[: len(content) - at]
    world.write(DATABASE, bytes(content))
    with contextlib.suppress(DataError):
        world.training(DATABASE, form="mlflow", on_resume="last")


def test_work_on_a_database_is_bounded_by_its_size(
    world: World, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.add(A, *[("loss", i, 1.0, i) for i in range(50_000)])
    monkeypatch.setattr("pytest_vigate.data.logs._mlflow_database._WORK", -1)
    assert message(lambda: world.training(DATABASE)) == (
        f"{DATABASE}: the database cannot be read: 'interrupted'; check it with PRAGMA integrity_check"
    )
