#!/usr/bin/python3
"""Kills a server at random instants and restarts it, until jobs of every kind are done; then compares them, to the bit,
with those of a server that nobody killed.

ROUNDS kills (default 50); SEED repeats the choices of an earlier run; GRADD names another binary (default build/gradd).
"""
import collections
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "api")]

import reference
from aims import HIT, Aims
from conftest import Client, Server
from life import Life
from remains import check_database

# How often the phases are hit, in 50 rounds.
WEIGHTS = {
    "start_up": 4, "claim": 4, "upload": 5, "model": 3, "submit": 6, "training": 7, "checkpoint": 5, "finish": 5, "by_time": 1,
    "control": 4, "delete": 4, "stop": 2,
}
PHASES = {"start_up": "start-up", "by_time": "checkpoint by time"}
TRIES = 100  # kills beside those of the rounds: a round that misses its phase is repeated


def choose(rng, hits):
    """The phase that is furthest behind its share; of several one at random."""
    share = {name: (hits[name] + 1) / weight for name, weight in WEIGHTS.items()}
    return rng.choice([name for name in WEIGHTS if share[name] == min(share.values())])


def kill_rounds(life, aims, rounds, rng):
    """{phase: kills that hit it}, and how many missed what they aimed at."""
    hits, missed = collections.Counter(), 0
    while sum(hits.values()) < rounds:
        name = choose(rng, hits)
        if name not in ("start_up", "claim"):
            life.start()
            life.settle()
            life.observe(rng.uniform(0, 0.25))
        if getattr(aims, name)() == HIT:
            hits[name] += 1
        else:
            missed += 1
            assert missed < TRIES + 3 * rounds, f"too many kills missed what they aimed at: {hits}"
    return hits, missed


def run(folder, rounds, seed):
    start = time.monotonic()
    rng = random.Random(seed)
    uninterrupted = Server(folder / "reference.db", "--workers", "2")
    try:
        with Client(uninterrupted.url) as client:
            kinds, outcomes = reference.run(client)
        assert uninterrupted.stop()[0] == 0
    finally:
        uninterrupted.kill()
    print(f"crash: {len(kinds)} kinds of jobs, uninterrupted: {time.monotonic() - start:.1f} s", flush=True)
    life = Life(folder, kinds, outcomes, rng)
    try:
        life.begin()
        hits, missed = kill_rounds(life, Aims(life, rng), rounds, rng)
        life.end()
    except BaseException:
        life.kill()
        raise
    print(f"crash: {check_database(life.database).removeprefix(str(folder) + '/')}")
    by_phase = ", ".join(f"{PHASES.get(name, name)} {hits[name]}" for name in WEIGHTS)
    print(f"crash: kills by phase: {by_phase}; {missed} more hit something else")
    print(f"crash: {life.report()}")
    if rounds >= 50:
        assert all(hits[name] for name in WEIGHTS), f"a phase was never hit: {hits}"
        assert life.resumed * 2 >= life.claimed_again, "fewer than half of the jobs went on from a checkpoint"
        assert not life.missing_kinds(), f"never done: {life.missing_kinds()}"
    print(f"{rounds} rounds, {sum(hits.values()) + missed} kills, {life.compared} jobs of {len(kinds)} kinds with the digests and "
          f"cost histories of an uninterrupted run, {time.monotonic() - start:.0f} s, seed {seed}")


def main():
    rounds = int(os.environ.get("ROUNDS") or 50)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1, 10**6))
    print(f"crash: {rounds} rounds, seed {seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gradd-crash-"))
    try:
        run(folder, rounds, seed)
    except BaseException:
        print(f"crash: seed {seed}; the databases and logs are left in {folder}", flush=True)
        raise
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
