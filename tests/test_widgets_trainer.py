"""The plane's measures against hand-made fans; the trainer starts, stops, plays, and tells what fails."""

import numpy as np
import pytest

from facelab.course.widgets import fan
from facelab.course.widgets.trainer import LOSSES, Trainer
from facelab.losses import SphereFace
from facelab.training import seeded


@pytest.fixture(scope="module")
def toy():
    return fan.digits(learn=10, keep=5)


@pytest.fixture(scope="module")
def trained(toy):
    return Trainer({"digits": toy, "fewer": fan.digits(learn=5, keep=3)}).train()


def ray(degrees):
    angle = np.radians(np.asarray(degrees, dtype=float))
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def test_measures_of_a_fan_made_by_hand():
    embeddings = ray([-3, 3, 87, 93]) * [[1.0], [1.0], [5.0], [5.0]]  # lengths do not count
    labels = np.array([0, 0, 1, 1])
    assert fan.spread(embeddings, labels) == pytest.approx(3)
    assert fan.between(ray([0, 90, 200])) == pytest.approx(90)
    assert fan.between(7 * ray([10, 355])) == pytest.approx(15)


def test_a_split_keeps_classes_even_and_samples_apart():
    vectors = np.arange(40.0).reshape(20, 2)
    toy = fan.split(vectors, np.repeat([0, 1], 10), ("a", "b"), learn=6, keep=3)
    assert np.bincount(toy.labels).tolist() == [6, 6]
    assert np.bincount(toy.held_labels).tolist() == [3, 3]
    together = np.concatenate([toy.inputs, toy.held])
    assert len(np.unique(together[:, 0])) == 18


def test_centres_are_spread_out_evenly():
    with seeded(3):
        head = SphereFace(2, 8)
    first = head.weight[0].detach().clone()
    fan.spread_out(head)
    assert head.weight[0].detach().numpy() == pytest.approx(first.numpy(), abs=1e-6)
    assert fan.between(head.weight.detach().numpy()) == pytest.approx(45, abs=1e-3)


def test_a_run_is_seeded_and_has_a_frame_an_epoch(toy):
    one, two = (fan.train(toy, "ArcFace", s=16, m=0.2, seed=1, epochs=3) for _ in range(2))
    assert [frame.epoch for frame in one.frames] == [0, 1, 2, 3]
    assert one.title == "ArcFace s=16 m=0.2"
    assert one.last.held.shape == (50, 2)
    assert np.array_equal(one.last.held, two.last.held)
    other = fan.train(toy, "ArcFace", s=16, m=0.2, seed=2, epochs=3)
    assert not np.array_equal(one.last.held, other.last.held)


def test_the_trainer_trains_both_sides_and_plays_them(trained):
    assert trained.error is None
    assert [run.title for run in trained.runs] == ["softmax", "ArcFace s=64 m=0.5"]
    assert "done in" in trained.progress.value
    last = trained.screen.value
    trained.epoch.value = 1
    assert trained.screen.value != last
    assert "epoch 1:" in trained.screen.words
    trained.view.value = "lengths"
    trained.photos.value = True
    assert trained.error is None


def test_the_epochs_are_played_held_and_played_from_the_start(trained, monkeypatch):
    monkeypatch.setattr("facelab.course.widgets.trainer.BETWEEN_EPOCHS", 0.005)
    last = trained.epoch.max
    trained.epoch.value = last
    seen = []
    trained.epoch.observe(lambda change: seen.append(change["new"]), names="value")
    trained.film.click()
    trained._film.join(30)
    assert seen == list(range(last + 1)), "at the end it begins anew"
    monkeypatch.setattr("facelab.course.widgets.trainer.BETWEEN_EPOCHS", 30)
    for end in (trained.film.click, trained.reset):
        trained.epoch.value = 2
        trained.film.click()
        assert trained.playing
        end()
        assert not trained.playing
        trained._film.join(30)
        assert trained.epoch.value in (2, 3, last)
    trained.epoch.value = last


def test_moving_a_slider_trains_nothing_and_says_so(trained):
    runs = list(trained.runs)
    trained.sides[1].margin.value = 0.7
    assert trained.runs == runs
    assert "press Start" in trained.screen.words
    assert "infeasible in 2-D: 10 classes leave room for 0.62" in trained.screen.words
    trained.sides[1].margin.value = 0.5
    assert "press Start" not in trained.screen.words
    trained.data.value = "fewer"
    assert "press Start" in trained.screen.words
    trained.data.value = "digits"
    assert trained.error is None


def test_each_loss_gets_the_controls_that_it_has(toy):
    widget = Trainer({"digits": toy})
    side = widget.sides[0]
    for loss in LOSSES * 2:
        side.loss.value = loss
        assert side.margin.min <= side.margin.value <= side.margin.max
        assert side.margin.disabled == (loss in ("Softmax", "ModifiedSoftmax"))
        fan.build(loss, toy, 0, True, side.options)
    side.loss.value = "SphereFace"
    assert side.options == {"m": 4, "anneal": False}
    assert widget.error is None


def test_stop_ends_the_run_and_keeps_what_was_learnt(toy):
    widget = Trainer({"digits": toy})
    tell = widget._tell

    def stop_at_two(words, done):
        tell(words, done)
        if done == 2:
            widget.stop()

    widget._tell = stop_at_two
    widget.train()
    assert widget.runs[0].stopped
    assert len(widget.runs[0].frames) == 4  # the start, two epochs, and the one in which it stopped
    assert widget.runs[1] is None
    assert "stopped" in widget.progress.value
    assert not widget.go.disabled
    assert widget.error is None


def test_an_error_in_the_thread_is_shown_in_the_widget(toy, monkeypatch):
    widget = Trainer({"digits": toy})

    def fail(*arguments, **named):
        raise ValueError("the loss is nan")

    monkeypatch.setattr(fan, "train", fail)
    widget.train()
    assert isinstance(widget.error, ValueError)
    assert "the loss is nan" in widget.alert.value
    monkeypatch.undo()
    widget.train()
    assert widget.error is None
    assert widget.alert.value == ""
