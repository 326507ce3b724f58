"""The registry of exercises, and what a student sees of it.

How to write one, in `facelab/course/exercises/lessonNN.py`:

    @exercise(
        "05.2",
        "The angle of the eyes",
        hints=("Which way does y grow in a photo?", "numpy has a function of two arguments: arctan2."),
        solution=lambda right, left: np.arctan2(left[1] - right[1], left[0] - right[0]),
        mistakes=(lambda right, left: np.degrees(...), ...),
    )
    def eye_angle(answer):
        got = number(answer(RIGHT, LEFT))
        if close(got, np.degrees(TRUTH)):
            raise Wrong("That is the angle in degrees. Angles are in radians here.")
        expect(close(got, TRUTH), f"Your angle is {got:.4f} rad, it should be {TRUTH:.4f} rad.")
        return "Why this is right, in a sentence or two."

The function returns why the answer is right, or raises `Wrong` with a diagnosis. It never has to care about
answers that are missing (`None`, `...`, a function that returns either) or that raise: `check` does.
`solution` and at least two `mistakes` that students make are tried by tests/test_exercises.py.
"""

import html
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from facelab.course import record
from facelab.course.language import current, translated


class Wrong(Exception):
    """The answer is wrong; the message is a diagnosis for the student."""


class NotYet(Exception):
    """There is no answer yet."""


class Raised(Exception):
    """The student's function raised; the message says what."""


@dataclass
class Exercise:
    """One exercise, and how far this session got with it."""

    id: str
    title: str
    judge: Callable
    hints: tuple[str, ...]
    solution: object
    mistakes: tuple
    hints_given: int = 0
    attempts: int = 0
    solved: bool = False
    before: bool = False
    wants_call: bool = field(init=False)

    def __post_init__(self):
        self.wants_call = callable(self.solution)


REGISTRY: dict[str, Exercise] = {}
OPENED: set[str] = set()
"""Lessons whose exercises were asked for in this session."""


def exercise(id: str, title: str, *, hints: tuple[str, ...], solution, mistakes: tuple):
    """Register the decorated function as the judge of exercise `id` ("05.1")."""

    def register(judge: Callable) -> Callable:
        REGISTRY[id] = Exercise(id, title, judge, tuple(hints), solution, tuple(mistakes))
        return judge

    return register


def load(id: str) -> Exercise:
    """The exercise with this id; its lesson's modules are imported on first use."""
    lesson = str(id).split(".")[0]
    import_lesson(lesson)
    known = sorted(key for key in REGISTRY if key.startswith(f"{lesson}."))
    if not known:
        raise KeyError(f"there is no lesson {lesson!r} with exercises")
    OPENED.add(lesson)
    if id not in REGISTRY:
        raise KeyError(f"there is no exercise {id!r}; lesson {lesson} has {', '.join(known)}")
    return REGISTRY[id]


# ---- helpers for judges ----------------------------------------------------------------------------------


def expect(right: bool, otherwise: str) -> None:
    """Raise Wrong(otherwise) unless `right`."""
    if not right:
        raise Wrong(otherwise)


def close(got, truth, atol: float = 1e-4, rtol: float = 1e-4) -> bool:
    """Same shape and the same numbers to within `atol` + `rtol` · |truth|."""
    got, truth = np.asarray(got), np.asarray(truth)
    return got.shape == truth.shape and bool(np.allclose(got, truth, atol=atol, rtol=rtol))


def number(answer) -> float:
    """The answer as one finite float; Wrong with a plain sentence when it is something else."""
    values = array(answer)
    expect(values.size == 1, f"One number is asked for; this has the shape {values.shape}.")
    return float(values.reshape(()))


def array(answer, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """The answer (a tensor or a list will do) as a finite float64 array of this shape; Wrong otherwise."""
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu().numpy()
    try:
        values = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        raise Wrong(
            f"Numbers are asked for; this is {type(answer).__name__}: {str(answer)[:60]!r}."
        ) from None
    expect(bool(np.isfinite(values).all()), f"There is a nan or an infinity in the answer: {values}.")
    if shape is not None:
        expect(values.shape == shape, f"The shape should be {shape}; yours is {values.shape}.")
    return values


def missing(answer) -> bool:
    """None, `...`, or a list or tuple that still holds one of them."""
    if isinstance(answer, list | tuple):
        return any(missing(part) for part in answer)
    return answer is None or answer is ...


def guarded(function: Callable) -> Callable:
    """The student's function; what it leaves undone or raises reaches `check` under a name of its own."""

    def call(*arguments, **named):
        try:
            value = function(*arguments, **named)
        except Exception as error:
            where = f" (line {line} of your function)" if (line := line_of(function, error)) else ""
            raise Raised(f"Your function raised {type(error).__name__}: {error}{where}") from error
        if missing(value):
            raise NotYet
        return value

    return call


def line_of(function: Callable, error: Exception) -> int | None:
    """The line of `function`, counted from its `def`, at which the error passed through it."""
    code, line = getattr(function, "__code__", None), None
    trace = error.__traceback__
    while code is not None and trace is not None:
        if trace.tb_frame.f_code is code:
            line = trace.tb_lineno - code.co_firstlineno + 1
        trace = trace.tb_next
    return line


# ---- what the student sees ------------------------------------------------------------------------------

# A word and a sign carry the meaning; colour only repeats it. The two colours are Okabe and Ito's.
LOOKS = {
    "right": ("✓ Right.", "#009E73"),
    "wrong": ("✗ Not yet right.", "#D55E00"),
    "open": ("○ Not answered yet.", "#888888"),
    "hint": ("→ Hint", "#0072B2"),
}


class Verdict(int):
    """A bool in all but type: true when the answer is right.

    Jupyter shows nothing for it, even at the end of a cell, since `check` has spoken.
    """

    def __repr__(self) -> str:
        return str(bool(self))

    def _ipython_display_(self) -> None:
        pass


def in_jupyter() -> bool:
    """Whether the output goes to a notebook rather than to a terminal."""
    try:
        shell = get_ipython()  # IPython puts the name there
    except NameError:
        return False
    return hasattr(shell, "kernel")


def say(look: str, head: str, message: str) -> None:
    """Show one message, as HTML in a notebook; `message` is plain text with `code` in backticks."""
    words, colour = LOOKS[look]
    words, head, message = translated(words), translated(head), translated(message)
    plain = f"{words} {head}\n{message}".rstrip()
    if not in_jupyter():
        print(plain)
        return
    from IPython.display import display

    paragraphs = "".join(f"<p style='margin:0.3em 0 0 0'>{marked(part)}</p>" for part in message.splitlines())
    display(
        {
            "text/html": f"<div role='status' lang='{current()}' "
            f"style='border-left:5px solid {colour};padding:0.3em 0.9em;"
            f"margin:0.3em 0;line-height:1.45'><b>{words}</b> {marked(head)}{paragraphs}</div>",
            "text/plain": plain,
        },
        raw=True,
    )


def marked(text: str) -> str:
    """Escaped for HTML, with `code` as code."""
    parts = html.escape(text, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def check(id: str, answer=None) -> Verdict:
    """Say whether `answer` solves the exercise, and why (or what to look at).

    True when it does. A missing answer and a function that raises are told gently: nothing is raised here
    except KeyError for an exercise that does not exist.
    """
    item = load(id)
    head = f"{id} · {translated(item.title)}"
    if missing(answer):
        say("open", head, "Replace the `...` above and run both cells again." + more(item))
        return Verdict(False)
    try:
        if item.wants_call:
            if not callable(answer):
                raise Wrong(f"A function is asked for: pass it without calling it. This is {kind(answer)}.")
            check_signature(item, answer)
            why = item.judge(guarded(answer))
        else:
            if callable(answer):
                raise Wrong("A value is asked for, and this is a function: call it.")
            why = item.judge(answer)
    except NotYet:
        say("open", head, "The function returns nothing yet, or still holds a `...`." + more(item))
        return Verdict(False)
    except (Wrong, Raised) as problem:
        item.attempts += 1
        say("wrong", head, str(problem) + more(item))
        return Verdict(False)
    item.attempts += 1
    item.solved = True
    record.solve(id)
    say("right", head, why)
    return Verdict(True)


def check_signature(item: Exercise, answer: Callable) -> None:
    """Wrong when the function cannot take the arguments it will be given."""
    wanted = list(inspect.signature(item.solution).parameters)
    try:
        inspect.signature(answer).bind(*wanted)
    except TypeError:
        raise Wrong(f"The function should take {len(wanted)} arguments: ({', '.join(wanted)}).") from None
    except ValueError:  # a built-in without a signature: let it be tried
        return


def kind(answer) -> str:
    """What an answer is, in a few words."""
    name = type(answer).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def more(item: Exercise) -> str:
    """Where help is, as the last line of a message."""
    left = len(item.hints) - item.hints_given
    if left:
        return f'\n{left} hint{"s" * (left > 1)} left: `exercises.hint("{item.id}")`'
    return "\nAll hints are given; the solution is folded away below."


def hint(id: str) -> None:
    """Show the next hint of the exercise; after the last one, that one again."""
    item = load(id)
    item.hints_given = min(item.hints_given + 1, len(item.hints))
    last = item.hints_given == len(item.hints)
    tail = "\nThat was the last one; the solution is folded away under the check." if last else ""
    say("hint", f"{item.hints_given} of {len(item.hints)} for {id}", item.hints[item.hints_given - 1] + tail)


def progress() -> None:
    """The exercises of the lesson at hand, and a map of all: solved here or on another day, tried, open."""
    lessons = sorted({*lessons_with_exercises(), *OPENED})
    for lesson in lessons:
        import_lesson(lesson)
    before = record.solved()
    for item in REGISTRY.values():
        item.before = item.id in before
    items = sorted(REGISTRY.values(), key=lambda item: item.id)
    here = [item for item in items if item.id.split(".")[0] in OPENED]
    done = sum(item.solved or item.before for item in here)
    head = translated(f"{done} of {len(here)} exercises solved")
    lines = [f"{translated(mark(item))}  {item.id} · {translated(item.title)}{effort(item)}" for item in here]
    whole = [translated("The whole course:")]
    for lesson in lessons:
        theirs = [item for item in items if item.id.startswith(f"{lesson}.")]
        whole.append(f"{lesson}  {' '.join('✓' if item.solved or item.before else '○' for item in theirs)}")
    if not in_jupyter():
        print("\n".join([head, *lines, *whole]))
        return
    from IPython.display import display

    rows = "".join(f"<li style='list-style:none'>{marked(line)}</li>" for line in lines)
    table = "".join(f"<code>{line}</code><br>" for line in whole[1:])
    display(
        {
            "text/html": f"<div role='status' lang='{current()}'><b>{head}</b>"
            f"<ul style='padding-left:0.5em'>{rows}</ul>"
            f"<b>{whole[0]}</b><br>{table}</div>",
            "text/plain": "\n".join([head, *lines, *whole]),
        },
        raw=True,
    )


def lessons_with_exercises() -> list[str]:
    """ "00", "01", …"""
    return sorted({name[len("lesson") :][:2] for name in _modules()})


def import_lesson(lesson: str) -> None:
    """The lesson's exercises register: `lesson05.py`, and `lesson05_anchors.py` beside it."""
    for name in _modules():
        if name.startswith(f"lesson{lesson}"):
            importlib.import_module(f"facelab.course.exercises.{name}")


def _modules() -> list[str]:
    from facelab.course import exercises

    names = [module.name for module in pkgutil.iter_modules(exercises.__path__)]
    return [name for name in names if name.startswith("lesson")]


def mark(item: Exercise) -> str:
    """A sign and a word for how far it got."""
    done = item.solved or item.before
    return "✓ solved" if done else "✗ tried" if item.attempts else "○ open"


def effort(item: Exercise) -> str:
    """Attempts and hints in brackets, where there were any."""
    used = []
    if item.attempts:
        used.append(translated(f"{item.attempts} attempt{'s' * (item.attempts > 1)}"))
    if item.hints_given:
        used.append(translated(f"{item.hints_given} hint{'s' * (item.hints_given > 1)}"))
    return f" ({', '.join(used)})" if used else ""
