"""What is kept of pairs of texts from run to run."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_vigate.metrics import _pair_cache
from pytest_vigate.metrics._pair_cache import FILE, PairCache

KEYS = [bytes([i]) * 16 for i in range(5)]
VALUES = [b"%d" % i for i in range(5)]

WRITER = """\
import sys
from pathlib import Path
from pytest_vigate.metrics._pair_cache import PairCache
own = sys.argv[2].encode()
with PairCache(Path(sys.argv[1])) as cache:
    for i in range(200):
        kept = cache.put([b"%d" % i], [own])
        print(kept[0].decode())
"""


def test_values_are_kept_from_run_to_run(tmp_path: Path) -> None:
    with PairCache(tmp_path) as cache:
        assert cache.get(KEYS) == [None] * 5
        assert cache.put(KEYS[:3], VALUES[:3]) == VALUES[:3]
    with PairCache(tmp_path) as cache:
        assert cache.get(KEYS[::-1]) == [None, None, *VALUES[2::-1]]


def test_more_keys_than_one_query_takes_are_found(tmp_path: Path) -> None:
    keys = [i.to_bytes(16, "big") for i in range(3 * _pair_cache.ASKED + 1)]
    with PairCache(tmp_path) as cache:
        assert cache._connection is not None
        cache._connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)  # as in older builds
        cache.put(keys, keys)
        assert cache.get(keys) == keys


def test_without_a_folder_nothing_is_kept() -> None:
    with PairCache(None) as cache:
        assert cache.put(KEYS, VALUES) == VALUES
        assert cache.get(KEYS) == [None] * 5


def test_file_that_has_grown_large_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pair_cache, "LARGEST", 100_000)
    keys = [i.to_bytes(16, "big") for i in range(5000)]
    with PairCache(tmp_path) as cache:
        cache.put(keys, [bytes(20)] * 5000)
    with PairCache(tmp_path) as cache:
        assert cache.get(keys[:2]) == [None, None]
        assert (tmp_path / FILE).stat().st_size < 100_000


def test_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    with PairCache(tmp_path / "a" / "b") as cache:
        cache.put(KEYS, VALUES)
        assert cache.get(KEYS) == VALUES


def test_first_to_write_is_believed(tmp_path: Path) -> None:
    with PairCache(tmp_path) as one, PairCache(tmp_path) as other:
        assert one.put(KEYS[:1], [b"one"]) == [b"one"]
        assert other.put(KEYS[:2], [b"other", b"other"]) == [b"one", b"other"]


def test_processes_that_write_at_once_agree(tmp_path: Path) -> None:
    commands = [[sys.executable, "-c", WRITER, str(tmp_path), name] for name in ("a", "b", "c")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    printed = [process.communicate(timeout=120)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert printed[0] == printed[1] == printed[2]
    assert len(printed[0]) == 200


@pytest.mark.parametrize("content", [b"no database at all, but a text that is long enough" * 100, b""])
def test_broken_file_is_a_miss_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with PairCache(tmp_path) as cache:
        assert cache.get(KEYS) == [None] * 5
        cache.put(KEYS, VALUES)
    with PairCache(tmp_path) as cache:
        assert cache.get(KEYS) == VALUES


def test_file_broken_in_the_middle_is_a_miss_and_is_replaced(tmp_path: Path) -> None:
    keys = [i.to_bytes(16, "big") for i in range(5000)]
    with PairCache(tmp_path) as cache:
        cache.put(keys, [bytes(20)] * 5000)
    whole = bytearray((tmp_path / FILE).read_bytes())
    whole[4096:-4096] = bytes(len(whole) - 8192)
    (tmp_path / FILE).write_bytes(whole)
    with PairCache(tmp_path) as cache:
        assert None in cache.get(keys)
        assert cache.put(keys, [b"new"] * 5000) == [b"new"] * 5000
    with PairCache(tmp_path) as cache:
        assert cache.get(keys) == [b"new"] * 5000


def test_file_of_another_layout_is_replaced(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE pairs (name TEXT)")
    connection.close()
    with PairCache(tmp_path) as cache:
        assert cache.get(KEYS) == [None] * 5
        cache.put(KEYS, VALUES)
        assert cache.get(KEYS) == VALUES


def test_value_that_was_changed_is_a_miss_and_is_written_anew(tmp_path: Path) -> None:
    with PairCache(tmp_path) as cache:
        cache.put(KEYS, VALUES)
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE pairs SET value = ? WHERE key = ?", (b"9", KEYS[1]))
    connection.close()
    with PairCache(tmp_path) as cache:
        assert cache.get(KEYS[:3]) == [b"0", None, b"2"]
        assert cache.put(KEYS[1:2], [b"1"]) == [b"1"]


def test_folder_that_cannot_be_made_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with PairCache(tmp_path / "file") as cache:
        assert cache.put(KEYS, VALUES) == VALUES
        assert cache.get(KEYS) == [None] * 5


def test_file_that_cannot_be_written_is_still_read(tmp_path: Path) -> None:
    with PairCache(tmp_path) as cache:
        cache.put(KEYS[:1], VALUES[:1])
        assert cache._connection is not None
        cache._connection.execute("PRAGMA query_only = 1")  # what a file system that is mounted read-only does
        assert cache.put(KEYS[:2], [b"x", b"y"]) == [b"x", b"y"]
    with PairCache(tmp_path) as cache:
        assert cache.get(KEYS[:2]) == [b"0", None]


def test_file_that_another_process_holds_costs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pair_cache, "PATIENCE", 0.01)
    with PairCache(tmp_path) as cache:
        cache.put(KEYS[:1], VALUES[:1])
    holder = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with PairCache(tmp_path) as cache:
        assert cache.put(KEYS[:2], [b"x", b"y"]) == [b"x", b"y"]
    holder.close()
    with PairCache(tmp_path) as cache:
        assert cache.get(KEYS[:1]) == VALUES[:1]


def test_file_whose_name_is_no_text_has_a_digest(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"weights\xff")
    try:
        file.write_bytes(b"one")
    except OSError:
        pytest.skip("this file system wants names that are text")
    with PairCache(tmp_path) as cache:
        assert cache.digest(file) == hashlib.sha256(b"one").hexdigest()


def test_digest_of_a_file_is_read_again_where_its_time_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pair_cache, "_KNOWN", {})
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    with PairCache(tmp_path) as cache:
        first = cache.digest(file)
    _pair_cache._KNOWN.clear()  # as in the next process
    monkeypatch.setattr("hashlib.file_digest", None)
    with PairCache(tmp_path) as cache:
        assert cache.digest(file) == first
    monkeypatch.undo()
    file.write_bytes(b"two")
    with PairCache(tmp_path) as cache:
        assert cache.digest(file) != first
