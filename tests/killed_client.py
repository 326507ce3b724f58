"""Clients of a database that are killed at random instants: run by tests/test_gallery_postgres.py, in a
process of its own. `python killed_client.py DSN SEED ROUNDS` does with a PostgresGallery what
tests/killed_writer.py does with a file.
"""

import json
import os
import random
import sys
import time

import psycopg
from killed_writer import DIMENSION, change, draw, kill, perform

from facelab.gallery.postgres import PostgresGallery


def opened(dsn: str) -> PostgresGallery:
    return PostgresGallery(dsn, "killed", embedder="test", dimension=DIMENSION, device="cpu")


def write_for_ever(dsn: str, seed: int, state: dict, next_id: int, say: int) -> None:
    rng = random.Random(seed)
    gallery = opened(dsn)
    while True:
        operation = draw(rng, list(state))
        if operation[0] == "reopen":
            continue
        os.write(say, json.dumps(operation).encode() + b"\n")
        perform(gallery, operation)
        os.write(say, b"done\n")
        state, next_id = change(state, next_id, operation)


def as_it_is(dsn: str) -> tuple[dict, int]:
    """Once the server has noticed that nobody is there any more."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        others = (
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
        deadline = time.monotonic() + 10
        while connection.execute(others).rowcount and time.monotonic() < deadline:
            time.sleep(0.01)
        with opened(dsn) as gallery:
            state = {person.id: [person.name, gallery.vectors(person.id)] for person in gallery.list()}
        (next_id,) = connection.execute("SELECT next_id FROM facelab_killed.about").fetchone()
    return state, next_id


def main(dsn: str, seed: int, rounds: int) -> None:
    def write(_, *rest):
        write_for_ever(dsn, *rest)

    kill(write, lambda: as_it_is(dsn), rounds, seed, 0.15)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
