"""What a killed server leaves: a copy of its files is recovered by SQLite and asked, before another server touches them.

The copy tells what is durable, which jobs were running, and, by frames of the write-ahead log after the last commit,
whether the kill hit a transaction while it was written.
"""
import contextlib
import pathlib
import shutil
import sqlite3
import struct
import subprocess

from conftest import GRADD

ORPHANS = {
    "versions without a model": "SELECT count(*) FROM version WHERE model_id NOT IN (SELECT id FROM model)",
    "versions without bytes": "SELECT count(*) FROM version v WHERE size > 0 AND NOT EXISTS"
                              " (SELECT 1 FROM version_chunk c WHERE c.model_id = v.model_id AND c.version = v.version)",
    "bytes without a version": "SELECT count(*) FROM version_chunk c WHERE NOT EXISTS"
                               " (SELECT 1 FROM version v WHERE c.model_id = v.model_id AND c.version = v.version)",
    "rows without a data set": "SELECT count(*) FROM dataset_chunk WHERE dataset_id NOT IN (SELECT id FROM dataset)",
    "costs without a job": "SELECT count(*) FROM cost_segment WHERE job NOT IN (SELECT id FROM job)",
    "labels without a job": "SELECT count(*) FROM job_label WHERE job NOT IN (SELECT id FROM job)",
    "checkpoints without a job": "SELECT count(*) FROM checkpoint WHERE job NOT IN (SELECT id FROM job)",
    "bytes without a checkpoint": "SELECT count(*) FROM checkpoint_chunk WHERE checkpoint NOT IN (SELECT id FROM checkpoint)",
    "keys without what they made": "SELECT count(*) FROM idempotency_key WHERE job NOT IN (SELECT id FROM job)"
                                   " OR model_id NOT IN (SELECT id FROM model)",
}


def torn_frames(path):
    """Frames that stand in the write-ahead log after its last commit: none where no transaction was being written."""
    if not path.exists():
        return 0
    log = path.read_bytes()
    if len(log) < 32:
        return 0
    page, = struct.unpack(">I", log[8:12])
    salts, torn = log[16:24], 0
    for at in range(32, len(log) - 24 - page + 1, 24 + page):
        if log[at + 8 : at + 16] != salts: # left by an earlier round of the log
            break
        torn = 0 if struct.unpack(">I", log[at + 4 : at + 8])[0] else torn + 1
    return torn


class Remains:
    """states: {job: (state, attempts, step)}; checkpoints: {job: the newest's step}; points: {job: how many};
    staged: bytes of uploads that were not published."""

    def __init__(self, database, folder):
        self.copy = pathlib.Path(folder) / "remains.db"
        for suffix in ["", "-wal", "-shm"]:
            target = pathlib.Path(str(self.copy) + suffix)
            target.unlink(missing_ok=True)
            source = pathlib.Path(str(database) + suffix)
            if source.exists() and suffix != "-shm":
                shutil.copyfile(source, target)
        self.torn = torn_frames(pathlib.Path(str(self.copy) + "-wal"))
        self.states, self.checkpoints, self.points, self.staged = {}, {}, {}, 0
        with contextlib.closing(sqlite3.connect(self.copy)) as db:
            self._check(db)
            if db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'cost_segment'").fetchone()[0]:
                self._read(db)

    @staticmethod
    def _check(db):
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []

    def _read(self, db):
        self.states = {row[0]: row[1:] for row in db.execute("SELECT id, state, attempts, step FROM job")}
        self.checkpoints = dict(db.execute("SELECT job, max(step) FROM checkpoint GROUP BY job"))
        self.points = dict(db.execute("SELECT job, sum(count) FROM cost_segment GROUP BY job"))
        self.staged = db.execute("SELECT coalesce(sum(size), 0) FROM dataset WHERE name IS NULL").fetchone()[0]
        orphans = {what: db.execute(sql).fetchone()[0] for what, sql in ORPHANS.items()}
        assert not any(orphans.values()), orphans

    def running(self):
        return {job for job, (state, _, _) in self.states.items() if state == "running"}


def check_database(path):
    """`gradd check-db` finds nothing wrong; answers its line."""
    done = subprocess.run([GRADD, "check-db", str(path)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def checkpoint_rows(path):
    """{job: checkpoints that are kept}"""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM dataset WHERE name IS NULL").fetchone() == (0,)
        return dict(db.execute("SELECT job, count(*) FROM checkpoint GROUP BY job"))
