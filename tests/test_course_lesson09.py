"""Every state that a crash can leave of an HDF5 file."""

import io
from itertools import pairwise

import h5py
import numpy as np

from facelab.course.lesson09 import crash_states


def opened(data: bytes) -> dict | None:
    """What is in the file; None where it cannot be read."""
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            return {name: file[name][()].tolist() for name in file}
    except (OSError, KeyError, RuntimeError):
        return None


def test_the_first_state_is_before_and_the_last_is_after():
    new = crash_states(b"", lambda file: file.create_dataset("a", data=[1, 2]))
    assert new[0] == b""
    assert opened(new[-1]) == {"a": [1, 2]}
    states = crash_states(new[-1], lambda file: file.create_dataset("b", data=np.arange(3)))
    assert states[0] == new[-1]
    assert opened(states[-1]) == {"a": [1, 2], "b": [0, 1, 2]}
    assert len(states) > 3
    assert all(a != b for a, b in pairwise(states)), "each write changes something"


def test_nothing_done_leaves_the_content_in_every_state():
    before = crash_states(b"", lambda file: file.create_dataset("a", data=[1, 2]))[-1]
    for state in crash_states(before, lambda file: file["a"][()]):
        assert opened(state) == {"a": [1, 2]}


def test_a_group_added_tears_the_file_at_some_instant():
    """What lesson 09 shows; should a later HDF5 do better, the lesson must say so."""

    def person(file, number):
        group = file.create_group(str(number))
        group["Name"] = f"person {number}"
        group.create_group("Feature Map")["feature_1"] = np.ones(128, np.float32)

    before = crash_states(b"", lambda file: [person(file, number) for number in range(4)])[-1]
    states = crash_states(before, lambda file: person(file, 4))

    def people(data: bytes) -> int | None:
        try:
            with h5py.File(io.BytesIO(data), "r") as file:
                return len([file[number]["Name"][()] for number in file])
        except (OSError, KeyError, RuntimeError):
            return None

    counts = [people(state) for state in states]
    assert counts[0] == 4
    assert counts[-1] == 5
    assert None in counts
