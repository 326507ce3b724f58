"""Every exercise accepts its solution and explains typical mistakes; and what a student sees of it all."""

import importlib
import pkgutil

import numpy as np
import pytest

import facelab.course.exercises
from facelab.course import exercises
from facelab.course.exercises import core

for module in pkgutil.iter_modules(facelab.course.exercises.__path__):
    if module.name.startswith("lesson"):
        importlib.import_module(f"facelab.course.exercises.{module.name}")
ALL = sorted(core.REGISTRY)


@pytest.fixture
def toy(monkeypatch):
    """A registry that holds one exercise, "99.1": double a number."""
    monkeypatch.setattr(core, "REGISTRY", {})
    monkeypatch.setattr(core.importlib, "import_module", lambda name: None)

    @core.exercise("99.1", "Double it", hints=("Add.", "x + x"), solution=lambda x: 2 * x, mistakes=())
    def double(answer):
        got = core.number(answer(3.0))
        if core.close(got, 9.0):
            raise core.Wrong("That is the square.")
        core.expect(core.close(got, 6.0), f"For 3 your function gives {got:g}.")
        return "Twice three is six."

    @core.exercise("99.2", "Say two", hints=("One more than one.",), solution=2, mistakes=(1, 3))
    def two(answer):
        core.expect(core.close(core.number(answer), 2.0), "Not two.")
        return "Two."


# ---- every exercise of every lesson ------------------------------------------------------------------------


@pytest.mark.parametrize("id", ALL)
def test_the_solution_is_right_and_says_why(id, capsys):
    assert exercises.check(id, core.load(id).solution)
    words = capsys.readouterr().out
    assert words.startswith("✓ Right.")
    assert len(words.splitlines()[1]) > 20


@pytest.mark.parametrize("id", ALL)
def test_no_answer_is_not_yet(id, capsys):
    unanswered = [None, ...]
    if core.load(id).wants_call:
        unanswered.append(lambda *arguments: None)
    for answer in unanswered[:2]:
        assert not exercises.check(id, answer)
        assert capsys.readouterr().out.startswith("○ Not answered yet.")


@pytest.mark.parametrize("id", ALL)
def test_typical_mistakes_are_explained(id, capsys):
    mistakes = core.load(id).mistakes
    assert len(mistakes) >= 2
    told = set()
    for mistake in mistakes:
        assert not exercises.check(id, mistake)
        words = capsys.readouterr().out
        assert words.startswith("✗ Not yet right.")
        assert "raised" not in words, f"a typical mistake should be wrong, not crash: {words}"
        assert len(words.splitlines()[1]) > 20
        told.add(words.splitlines()[1])
    assert len(told) >= 2, "at least two mistakes should get a diagnosis of their own"


@pytest.mark.parametrize("id", ALL)
def test_hints_and_title(id):
    item = core.load(id)
    assert item.title
    assert item.hints
    assert all(len(hint) > 10 for hint in item.hints)


# ---- the machinery ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("toy")
class TestMachinery:
    def test_the_verdict_is_a_bool_in_all_but_type(self):
        right, wrong = exercises.check("99.2", 2), exercises.check("99.2", 1)
        assert right
        assert not wrong
        assert right == True  # noqa: E712  (what is tested)
        assert (repr(right), repr(wrong)) == ("True", "False")

    def test_a_recognised_mistake_gets_its_own_words(self, capsys):
        assert not exercises.check("99.1", lambda x: x * x)
        assert "That is the square." in capsys.readouterr().out

    def test_an_answer_that_raises_is_caught_and_shown_with_its_line(self, capsys):
        def answer(x):
            y = 0
            return x / y

        assert not exercises.check("99.1", answer)
        words = capsys.readouterr().out
        assert "ZeroDivisionError" in words
        assert "line 3 of your function" in words

    @pytest.mark.parametrize("unfinished", [lambda x: None, lambda x: ..., lambda x: (x, ...)])
    def test_an_unfinished_function_is_not_yet(self, unfinished, capsys):
        assert not exercises.check("99.1", unfinished)
        assert "Not answered yet" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (6.0, "A function is asked for"),
            (lambda: 6.0, "should take 1 arguments: (x)"),
            (lambda x: "six", "Numbers are asked for"),
            (lambda x: float("nan"), "nan or an infinity"),
            (lambda x: [6.0, 6.0], "One number is asked for"),
        ],
    )
    def test_answers_of_the_wrong_kind_are_told_apart(self, answer, says, capsys):
        assert not exercises.check("99.1", answer)
        assert says in capsys.readouterr().out

    def test_a_function_where_a_value_is_asked_for(self, capsys):
        assert not exercises.check("99.2", lambda: 2)
        assert "call it" in capsys.readouterr().out

    def test_tensors_lists_and_numpy_all_do(self):
        import torch

        for two in (2, 2.0, [2], np.float32(2), torch.tensor(2.0)):
            assert exercises.check("99.2", two)

    def test_hints_come_one_after_the_other(self, capsys):
        exercises.hint("99.1")
        assert "Add." in capsys.readouterr().out
        exercises.hint("99.1")
        assert "x + x" in capsys.readouterr().out
        exercises.hint("99.1")
        assert "x + x" in capsys.readouterr().out
        exercises.check("99.1", lambda x: x)
        assert "folded away" in capsys.readouterr().out

    def test_progress_counts(self, capsys):
        exercises.check("99.2", 1)
        exercises.check("99.2", 2)
        exercises.hint("99.1")
        capsys.readouterr()
        exercises.progress()
        words = capsys.readouterr().out
        assert "1 of 2 exercises solved" in words
        assert "○ open  99.1 · Double it (1 hint)" in words
        assert "✓ solved  99.2 · Say two (2 attempts)" in words

    def test_html_in_jupyter_escapes_what_students_write(self, monkeypatch):
        import IPython.display

        sent = []
        monkeypatch.setattr(core, "in_jupyter", lambda: True)
        monkeypatch.setattr(IPython.display, "display", lambda data, raw: sent.append(data))
        exercises.check("99.2", "<script>")
        assert "<script>" not in sent[0]["text/html"]
        assert "&lt;script&gt;" in sent[0]["text/html"]
        assert sent[0]["text/plain"].startswith("✗ Not yet right.")


def test_unknown_exercises_name_the_known_ones(monkeypatch):
    with pytest.raises(KeyError, match="no lesson 'x9'"):
        exercises.check("x9.1", 1)
