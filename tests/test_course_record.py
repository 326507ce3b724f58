"""What a learner has done is kept in one file, survives bad ones, and bears no name; guesses are compared."""

import json
import multiprocessing

import numpy as np
import pytest

from facelab.course import exercises, record
from facelab.course.exercises import core
from facelab.course.widgets.guess import Guess


@pytest.fixture
def file(monkeypatch, tmp_path):
    monkeypatch.setenv("FACELAB_COURSE", str(tmp_path / "mine" / "course.json"))
    monkeypatch.delenv("FACELAB_CLASS", raising=False)
    return tmp_path / "mine" / "course.json"


def test_a_solved_exercise_is_remembered_and_shown_another_day(file, monkeypatch, capsys):
    assert exercises.check("00.1", core.load("00.1").solution)
    assert record.solved() == {"00.1"}
    for lesson in core.lessons_with_exercises():
        core.load(f"{lesson}.1")
    for item in core.REGISTRY.values():  # as in a new kernel, whatever the other tests have solved
        monkeypatch.setattr(item, "solved", False)
        monkeypatch.setattr(item, "attempts", 0)
    monkeypatch.setattr(core, "OPENED", {"00"})
    capsys.readouterr()
    exercises.progress()
    said = capsys.readouterr().out
    assert said.startswith("1 of 4 exercises solved\n")
    assert "✓ solved  00.1" in said
    assert "○ open  00.2" in said
    assert "00  ✓ ○ ○ ○" in said
    assert "11  ○ ○ ○ ○ ○" in said


def test_off_keeps_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("FACELAB_COURSE", "off")
    monkeypatch.chdir(tmp_path)
    record.solve("00.1")
    record.guess("k", 3)
    assert record.solved() == set()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["{half of a", "[1, 2]", "\x00\x01"])
def test_a_damaged_file_is_put_aside_and_learning_goes_on(file, damage):
    file.parent.mkdir()
    file.write_text(damage)
    assert record.solved() == set()
    record.solve("00.1")
    assert record.solved() == {"00.1"}
    assert (file.parent / "course.json.damaged").read_text() == damage


def test_where_nothing_can_be_written_nothing_is_raised(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACELAB_COURSE", str(tmp_path / "file" / "course.json"))
    monkeypatch.setenv("FACELAB_CLASS", str(tmp_path / "file" / "class.json"))
    record.solve("00.1")
    record.guess("k", 3)
    assert record.solved() == set()


def _guesses(folder, count):
    import os

    os.environ["FACELAB_CLASS"] = str(folder / "class.json")
    for n in range(count):
        os.environ["FACELAB_COURSE"] = str(folder / f"{os.getpid()} {n}.json")
        record.guess("k", n)
        record.guess("k", n + 0.5)


def test_a_class_writes_into_one_file_and_each_learner_counts_once(tmp_path, monkeypatch):
    context = multiprocessing.get_context("fork")
    several = [context.Process(target=_guesses, args=(tmp_path, 8)) for _ in range(3)]
    for one in several:
        one.start()
    for one in several:
        one.join(30)
    monkeypatch.setenv("FACELAB_CLASS", str(tmp_path / "class.json"))
    assert record.class_guesses("k") == sorted([n + 0.5 for n in range(8)] * 3)
    assert all(len(lot) == 32 for lot in json.loads((tmp_path / "class.json").read_text())["k"])


def test_a_guess_is_kept_compared_and_shown_beside_the_classes(file, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FACELAB_CLASS", str(tmp_path / "class.json"))
    (tmp_path / "class.json").write_text(json.dumps({"k": {"a": 10, "b": 20, "c": 90, "d": "no number"}}))
    widget = Guess("k", "How many?", "%", 0, 100)
    assert "Type a number" in widget.screen.words
    widget.number.value = 30
    assert record.own_guess("k") is None, "not before the button"
    widget.keep.value = True
    assert record.own_guess("k") == 30
    before = widget.picture.png()
    widget.reveal(72)
    assert widget.error is None
    assert widget.picture.png() != before
    assert capsys.readouterr().out == "How many? It is 72 %. You guessed 30 %: 42 too little.\n"
    assert "4 in the class have guessed" in widget.screen.words
    np.testing.assert_array_equal(np.flatnonzero(widget.heap.get_data().values), [2, 4, 6, 18])
    again = Guess("k", "How many?", "%", 0, 100)
    assert (again.guess, again.keep.value, again.number.value) == (30, True, 30)


def test_another_number_is_another_guess(file):
    widget = Guess("k", "How many?")
    widget.number.value, widget.keep.value = 30, True
    widget.number.value = 40
    assert not widget.keep.value
    assert record.own_guess("k") == 30
    widget.keep.value = True
    assert record.own_guess("k") == 40


def test_without_a_guess_and_over_powers_of_ten(file, capsys):
    widget = Guess("l", "How many?", "", 1, 1e6, powers=True)
    widget.reveal(1000)
    assert "You made no guess" in capsys.readouterr().out
    widget = Guess("l", "How many?", "", 1, 1e6, powers=True)
    widget.number.value, widget.keep.value = 100, True
    widget.reveal(1000)
    assert "10 times too little" in capsys.readouterr().out
    assert widget.error is None
