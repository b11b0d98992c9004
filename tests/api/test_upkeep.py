"""gradd check-db and gradd backup: beside a server, and on damaged files."""
import sqlite3
import subprocess
import threading

import pytest
import requests
from conftest import GRADD, IS_URL, Server

pytestmark = pytest.mark.skipif(IS_URL, reason="needs servers and databases of its own")

MODEL = {
    "name": "line", "program": "p = Linear(X, W, b); cost = MSE(p, y)", "cost": "cost", "output": "p",
    "inputs": {"X": {"shape": ["batch", 1]}, "y": {"shape": ["batch", 1]}},
    "parameters": {"W": {"shape": [1, 1]}, "b": {"shape": [1]}},
}
DATA = "X,y,kind\n" + "".join(f"{i / 8},{i / 4},{'ab'[i % 2]}\n" for i in range(64))
JOB = {"model": "line", "dataset": "line", "optimizer": {"name": "Adam"}, "epochs": 4, "record": {"every_steps": 1},
       "checkpoint": {"every_steps": 2, "keep": 3}}


def run(*arguments):
    return subprocess.run([GRADD, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


def put(server, name="line"):
    assert requests.put(f"{server.url}/v1/models/{name}", json={**MODEL, "name": name}, timeout=10).status_code == 201
    answer = requests.put(
        f"{server.url}/v1/datasets/{name}", data=DATA, headers={"Content-Type": "text/csv"}, timeout=10)
    assert answer.status_code == 201


def train(server):
    job = requests.post(f"{server.url}/v1/jobs", json=JOB, timeout=10).json()
    done = requests.get(f"{server.url}/v1/jobs/{job['id']}", params={"wait": 30}, headers={"If-None-Match": "x"},
                        timeout=40).json()
    while done["state"] not in ("succeeded", "failed"):
        done = requests.get(f"{server.url}/v1/jobs/{job['id']}", timeout=10).json()
    assert done["state"] == "succeeded"
    return done


@pytest.fixture
def filled(tmp_path):
    """A database with a model, a data set and a trained job, that nobody serves."""
    database = tmp_path / "full.db"
    server = Server(database)
    put(server)
    train(server)
    server.stop()
    return database


def test_what_was_written_is_right(filled):
    done = run("check-db", filled)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"{filled}: models 1, versions 2, data sets 1, jobs 1, checkpoints 3, cost points 8: ok\n")


@pytest.mark.parametrize("damage, told", [
    ("UPDATE version_chunk SET bytes = zeroblob(length(bytes)) WHERE version = 2", "version 2 of the model 'line': the"),
    ("UPDATE version_chunk SET bytes = x'00' WHERE version = 1", "8 bytes were written, but what is there is 1 bytes"),
    ("DELETE FROM version_chunk WHERE version = 1", "version 1 of the model 'line': 8 bytes"),
    ("UPDATE model SET version = 5", "has 5 versions, but the newest that is there is 2"),
    ("UPDATE dataset_chunk SET bytes = zeroblob(length(bytes))", "the data set 'line': the bytes are not those"),
    ("UPDATE dataset SET info = x'00'", "the data set 'line': "),
    ("UPDATE dataset_chunk SET part = 1", "with parts missing"),
    ("UPDATE checkpoint_chunk SET bytes = zeroblob(length(bytes))", "the checkpoint of the job "),
    ("UPDATE cost_segment SET last_step = 7 WHERE last_step = 8", "the cost history of the job "),
    ("UPDATE cost_segment SET points = zeroblob(length(points))", "is damaged before step 8"),
    ("UPDATE job SET digest = 'other'", "has the digest other, but its version has "),
    ("PRAGMA foreign_keys = OFF; DELETE FROM dataset", "refers to a row of dataset that is not there"),
])
def test_what_is_damaged_is_told(filled, damage, told):
    with sqlite3.connect(filled) as database:
        database.executescript(damage)
    done = run("check-db", filled)
    assert done.returncode == 1
    assert told in done.stdout and "wrong\n" in done.stdout


def test_a_damaged_page_is_told(filled):
    with sqlite3.connect(filled) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'cost_segment'").fetchone()[0]
    with open(filled, "r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 200)
    done = run("check-db", filled)
    assert done.returncode == 1 and "wrong\n" in done.stdout


def test_a_backup_is_whole(filled, tmp_path):
    copy = tmp_path / "copy.db"
    done = run("backup", filled, copy)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert run("check-db", copy).stdout.split(":", 1)[1] == run("check-db", filled).stdout.split(":", 1)[1]
    server = Server(copy)
    assert requests.get(f"{server.url}/v1/models/line", timeout=10).json()["version"] == 2
    server.stop()


def test_a_database_that_is_written_is_copied_whole(tmp_path):
    server = Server(tmp_path / "live.db")
    put(server)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            assert requests.post(f"{server.url}/v1/jobs", json=JOB, timeout=10).status_code == 202

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for i in range(5):
            copy = tmp_path / f"copy{i}.db"
            done = run("backup", server.database, copy)
            assert done.returncode == 0, done.stderr
            checked = run("check-db", copy)
            assert checked.returncode == 0, checked.stdout
            live = run("check-db", server.database)
            assert live.returncode == 0, live.stdout
    finally:
        stop.set()
        writer.join()
        server.stop()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("copy")) == [
        f"copy{i}.db" for i in range(5)]


def test_what_can_not_be_copied_leaves_nothing(filled, tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE t (x)")
    text = tmp_path / "text"
    text.write_text("this is no database\n" * 100)
    before = sorted(tmp_path.iterdir())
    for source, target, told in [
        (tmp_path / "none.db", tmp_path / "to.db", "No such file"), (filled, tmp_path / "no" / "to.db", "No such file"),
        (filled, filled, "is there already"), (filled, other, "is there already"), (filled, tmp_path, "is there already"),
        (other, tmp_path / "to.db", "another application"), (text, tmp_path / "to.db", "not a database"),
    ]:
        done = run("backup", source, target)
        assert done.returncode == 1 and told in done.stderr, (source, done)
    assert sorted(tmp_path.iterdir()) == before
    for source, told in [(tmp_path / "none.db", "unable to open"), (other, "another application"), (text, "not a database")]:
        done = run("check-db", source)
        assert done.returncode == 1 and told in done.stderr, (source, done)


def test_wrong_usage():
    for arguments in (["check-db"], ["check-db", "a", "b"], ["check-db", "--fast"], ["backup", "a"], ["backup", "-x", "b"]):
        done = run(*arguments)
        assert done.returncode == 2 and done.stderr.startswith("gradd: ")
