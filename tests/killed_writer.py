"""Writers that are killed at random instants: run by tests/test_gallery_crash.py, in a process of its own.

`python killed_writer.py FILE SEED ROUNDS` imports facelab once. In each round it forks a child that changes
the gallery without end and says what it is about to do and what is done; kills it; opens the gallery; and
compares it with what must be there: all that was done, with or without what had been begun. Prints a line of
JSON.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from facelab.gallery import Gallery
from facelab.gallery.store import read

DIMENSION = 8


def vectors(seed: int, count: int) -> np.ndarray:
    """The same for the same seed, in the child that enrols them and in the parent that looks for them."""
    drawn = np.random.default_rng(seed).normal(size=(count, DIMENSION))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def change(state: dict, next_id: int, operation: list) -> tuple[dict, int]:
    """What an operation makes of {id: [name, vectors]}."""
    state = {person: list(entry) for person, entry in state.items()}
    kind, *rest = operation
    if kind == "enroll":
        name, seed, count = rest
        state[next_id] = [name, vectors(seed, count)]
        next_id += 1
    elif kind == "many":
        seed, count = rest
        for i, vector in enumerate(vectors(seed, count)):
            state[next_id] = [f"{seed}-{i}", vector[None]]
            next_id += 1
    elif kind == "add":
        person, seed = rest
        state[person][1] = np.concatenate([state[person][1], vectors(seed, 1)])
    elif kind == "rename":
        state[rest[0]][0] = rest[1]
    elif kind == "delete":
        del state[rest[0]]
    elif kind == "clear":
        state = {}
    return state, next_id


def perform(gallery: Gallery, operation: list) -> Gallery:
    kind, *rest = operation
    if kind == "enroll":
        gallery.enroll(rest[0], vectors(rest[1], rest[2]))
    elif kind == "many":
        gallery.enroll_many([f"{rest[0]}-{i}" for i in range(rest[1])], vectors(*rest))
    elif kind == "add":
        gallery.add(rest[0], vectors(rest[1], 1))
    elif kind in ("rename", "delete", "clear"):
        getattr(gallery, kind)(*rest)
    elif kind == "reopen":
        gallery.close()
        gallery = Gallery(gallery.path)
    return gallery


def draw(rng: random.Random, people: list[int]) -> list:
    seed = rng.randrange(10**9)
    kinds = ["enroll"] * 5 + ["many", "reopen"] + ["add", "add", "rename", "delete", "delete"] * bool(people)
    kind = rng.choice([*kinds, "clear"] if rng.random() < 0.05 else kinds)
    arguments = {
        "enroll": lambda: [f"name {seed}", seed, rng.randint(1, 3)],
        "many": lambda: [seed, rng.randint(1, 40)],
        "add": lambda: [rng.choice(people), seed],
        "rename": lambda: [rng.choice(people), f"new {seed}"],
        "delete": lambda: [rng.choice(people)],
    }
    return [kind, *arguments.get(kind, list)()]


def write_for_ever(path: Path, seed: int, state: dict, next_id: int, say: int, with_fsync: bool) -> None:
    if not with_fsync:  # the process then spends its time between the system calls, and dies there too
        os.fsync = lambda _: None
    rng = random.Random(seed)
    gallery = Gallery(path)
    while True:
        operation = draw(rng, list(state))
        os.write(say, json.dumps(operation).encode() + b"\n")
        gallery = perform(gallery, operation)
        os.write(say, b"done\n")
        state, next_id = change(state, next_id, operation)


def as_it_is(path: Path) -> tuple[dict, int]:
    with Gallery(path, "r") as gallery:
        state = {person.id: [person.name, gallery.vectors(person.id)] for person in gallery.list()}
    return state, read(path).next_id


def equal(a: tuple[dict, int], b: tuple[dict, int]) -> bool:
    return (
        a[1] == b[1]
        and a[0].keys() == b[0].keys()
        and all(a[0][i][0] == b[0][i][0] and np.array_equal(a[0][i][1], b[0][i][1]) for i in a[0])
    )


def kill(write, as_it_is, rounds: int, seed: int, longest: float) -> None:
    """Kill writers `rounds` times, each after up to `longest` seconds.

    write     called in the child with the round, a seed, the state, the next id, where to say what is done
    as_it_is  called afterwards: the state and the next id that are there
    """
    rng = random.Random(seed)
    state, seen = as_it_is(), {"done": 0, "between: old": 0, "between: new": 0, "at rest": 0}
    for turn in range(rounds):
        hear, say = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(hear)
            try:
                write(turn, rng.randrange(10**9), *state, say)
            finally:
                os._exit(1)  # only reached by an exception, which is on standard error
        os.close(say)
        time.sleep(rng.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            raise SystemExit(f"round {turn}: the writer ended by itself")
        with os.fdopen(hear, "rb") as pipe:
            lines = pipe.read().splitlines(keepends=True)
        begun = None
        for line in lines:
            if line == b"done\n":
                state, begun = change(*state, begun), None
                seen["done"] += 1
            elif line.endswith(b"\n"):
                begun = json.loads(line)
        found = as_it_is()
        if begun is None:
            seen["at rest"] += 1
            if not equal(found, state):
                raise SystemExit(f"round {turn}: something that was done is lost")
        elif equal(found, change(*state, begun)) and not equal(found, state):
            seen["between: new"] += 1
        elif equal(found, state):
            seen["between: old"] += 1
        else:
            raise SystemExit(f"round {turn}: neither old nor new, killed in {begun}")
        state = found
    print(json.dumps(seen))


def main(path: Path, seed: int, rounds: int) -> None:
    Gallery(path, embedder="test", dimension=DIMENSION).close()

    def write(turn, *rest):
        write_for_ever(path, *rest, with_fsync=turn % 3 == 0)

    kill(write, lambda: as_it_is(path), rounds, seed, 0.06)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
