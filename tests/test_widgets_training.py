"""The widgets of lesson 10: a live run, two stored runs, and the button that fetches photos."""

import sys
import time

import numpy as np
import pytest

from facelab.course import lesson10
from facelab.course.widgets.fetch import FetchPhotos
from facelab.course.widgets.live_run import LiveRun
from facelab.course.widgets.runs import CompareRuns
from facelab.training import Recipe

RECIPE = Recipe(batch_size=32, head_options={"s": 16.0, "m": 0.1})


@pytest.fixture(scope="module")
def task():
    return lesson10.drawn_task(people=12)


def test_a_live_run_ends_in_the_picture_and_in_words(task):
    live = LiveRun({"drawn": task}, 6, RECIPE)
    assert "the teacher's vectors" not in live.loss.options, "drawn people bring no teacher"
    assert "Press Start: ArcFace s=16 m=0.1" in live.screen.words
    before = live.screen.value
    live.train()
    assert live.error is None
    (label, run) = live.done[0]
    assert label == "ArcFace s=16 m=0.1"
    assert len(run["losses"]) == 6
    assert f"EER {run['eer']:.1%}" in live.screen.words
    assert live.screen.value != before
    assert not live.go.disabled
    assert live.halt.disabled


def test_each_control_reaches_the_recipe(task):
    live = LiveRun({"drawn": task}, 6, RECIPE)
    live.loss.value, live.scale.value, live.margin.value = "CosFace", 64, 0.35
    live.warm.value = live.augment.value = False
    live.wrong.value, live.people.value = 20, 50
    its = live.chosen()
    assert (its.head, its.head_options, its.warm_up) == ("CosFace", {"s": 64.0, "m": 0.35}, 0.0)
    assert its.augment.mirror == 0
    assert live.label == "CosFace s=64 m=0.35, 50 people, no warm-up, no augmentation, 20 % wrong"
    live.loss.value = "softmax"
    assert live.chosen().head_options == {}


def test_stop_ends_a_run_and_four_runs_fit(task):
    live = LiveRun({"drawn": task}, 400, RECIPE)
    live.start()
    until = time.monotonic() + 60
    while not live._now.get("losses") and time.monotonic() < until:
        time.sleep(0.01)
    live.halt.click()
    live._thread.join(60)
    assert not live.training
    assert 0 < len(live.done[0][1]["losses"]) < 400
    live.steps = 3
    for _ in range(4):
        live.train()
    assert len(live.done) == 5
    assert live.error is None


def test_what_goes_wrong_in_the_thread_is_shown(task):
    live = LiveRun({"drawn": task}, 3, RECIPE)
    live.recipe = Recipe(batch_size=32, min_photos=100)
    live.train()
    assert "photos are left to train on" in live.alert.value
    live.recipe = RECIPE
    live.train()
    assert live.alert.value == ""


def test_two_stored_runs_are_compared_quickly():
    what = lesson10.stored()
    compare = CompareRuns(what)
    compare.b.value = "leak"
    assert compare.error is None
    errors = [100 * what.eer_of(place) for place in what.of("leak")]
    assert f"B: EER {np.mean(errors):.1f} %" in compare.screen.words
    assert compare.last_ms < 400  # a loaded machine; some 40 at rest
    for name in compare.a.options:
        compare.a.value = name
        assert compare.error is None


# ---- the button --------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


def told(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_the_button_shows_progress_and_goes_on_when_done():
    done = []
    bar = "print(f'\\r {n}%|##  | {n}M', end='', file=sys.stderr)"
    code = f"import sys; [{bar} for n in (5, 60)]; print('\\nhere')"
    button = FetchPhotos(then=lambda: done.append(1), command=told(code))
    assert "They are not here" in button.line.value
    button.go.click()
    button.wait(30)
    assert done == [1]
    assert button.bar.value == 100
    assert "here" in button.line.value
    assert not button.go.disabled


def test_an_error_is_shown_in_its_own_words():
    button = FetchPhotos(command=told("import sys\nsys.exit('facelab: no network. Try again.')"))
    button.go.click()
    button.wait(30)
    assert "⚠ no network. Try again." in button.line.value


def test_stop_ends_the_process_and_keeps_what_came():
    button = FetchPhotos(command=told("import time\nprint('10%|', flush=True)\ntime.sleep(60)"))
    button.go.click()
    until = time.monotonic() + 30
    while button.bar.value != 10 and time.monotonic() < until:
        time.sleep(0.01)
    button.halt.click()
    button.wait(30)
    assert button.process.poll() is not None
    assert "press again to go on" in button.line.value


def test_a_file_that_is_not_there_is_named():
    button = FetchPhotos()
    button.path.value = "/nowhere/lfw.tgz"
    button.go.click()
    button.wait(60)
    assert "/nowhere/lfw.tgz: there is no such file" in button.line.value
