"""Lesson 12's widgets: an attack by sliders, a door's threshold, a turning head and photo, a challenge."""

import io

import numpy as np
import pytest
from PIL import Image

from facelab import metrics
from facelab.antispoof import BONA_FIDE
from facelab.course import lesson12_turn, portraits
from facelab.course.widgets.attack import MakeAttack
from facelab.course.widgets.challenge import PATIENCE, TURNS, Challenge
from facelab.course.widgets.door import Door
from facelab.course.widgets.turn import ASKED, Turn


@pytest.fixture(scope="module")
def maker():
    return MakeAttack({"Eileen Collins": portraits.collins(), "Grace Hopper": portraits.hopper()})


def test_a_print_is_refused_until_dots_and_edge_are_gone(maker):
    for name in maker.people:
        maker.reset()
        maker.person.value = name
        assert maker.error is None
        assert maker.live < maker.pipeline.min_live
        assert maker.distance < maker.threshold
        assert "refused as an attack" in maker.screen.words
        with maker.together():
            maker.depth.value, maker.shown.value = 0.0, 2.5
        assert maker.live >= maker.pipeline.min_live
        assert "let in" in maker.screen.words


@pytest.mark.parametrize("kind", ["print", "replay", "eyes"])
def test_every_end_of_every_slider_is_drawn(maker, kind):
    maker.reset()
    maker.kind.value = kind
    for control in (maker.pitch, maker.depth, maker.slant, maker.border, maker.shown):
        for value in (control.min, control.max):
            before = maker.draws
            control.value = value
            assert maker.error is None
            assert maker.draws == before + 1 or control.value == value
    assert maker.seen.shape == (250, 250, 3)


def test_an_attack_without_a_face_lets_nobody_in(maker):
    maker.reset()
    maker.kind.value = "replay"
    with maker.together():
        maker.pitch.value, maker.depth.value, maker.slant.value = 4.0, 1.0, 50
    assert maker.distance is None
    assert "no face" in maker.screen.words
    maker.reset()
    assert maker.distance is not None


def test_a_door_counts_what_the_rates_say():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.beta(5, 2, 100), rng.beta(2, 5, 60), rng.beta(3, 3, 40)])
    kinds = np.array([BONA_FIDE] * 100 + ["print"] * 60 + ["mask"] * 40)
    door = Door(scores, kinds)
    for threshold in (0.0, 0.4, 1.0):
        door.threshold.value = threshold
        assert door.error is None
        assert door.rates == metrics.attack_rates(scores, kinds, threshold)
        assert door.rates.worst in door.screen.words
    door.threshold.value, door.attackers.value = 1.0, -2.0
    assert "100 attack" in door.screen.words
    assert "9,900 honest" in door.screen.words


def test_a_flat_photo_keeps_its_nose_and_a_head_does_not():
    turn = Turn()
    places = {}
    for held in lesson12_turn.HELD:
        turn.held.value = held
        for degrees in (-30, 0, 30):
            turn.turn.value = degrees
            assert turn.error is None
            places[held, degrees] = turn.place
    head, flat, bent = lesson12_turn.HELD
    assert all(places[held, 0] == pytest.approx(0.5) for held in lesson12_turn.HELD)
    assert places[head, -30] < 0.5 - ASKED
    assert places[head, 30] > 0.5 + ASKED
    assert abs(places[flat, 30] - 0.5) < 0.03
    assert abs(places[flat, 30] - 0.5) < abs(places[bent, 30] - 0.5) < ASKED
    assert len(turn.seen[head]) == 3
    turn.reset()
    assert turn.seen[bent] == {}
    with pytest.raises(ValueError, match="held="):
        lesson12_turn.landmarks("a mask")


@pytest.mark.parametrize("tilt", [0.0, 0.6])
def test_the_nose_place_ignores_every_affine_map(tilt):
    points = lesson12_turn.landmarks("a head", turn=20)
    c, s = np.cos(tilt), np.sin(tilt)
    moved = points @ (np.array([[c, -s], [s, c]]) @ np.array([[1.3, 0.4], [0.0, 0.7]])).T + (50, 80)
    assert lesson12_turn.nose_place(moved) == pytest.approx(lesson12_turn.nose_place(points))


# ---- the challenge ---------------------------------------------------------------------------------------


def frame(held: str, turn: float) -> list[dict]:
    """What a frame tells of one face."""
    return [{"landmarks": (100 + 40 * lesson12_turn.landmarks(held, turn)).tolist()}]


def obey(challenge: Challenge, held: str, most: int = 400) -> str:
    """Whatever is held turns by 35° to the side that is asked for, and back in between."""
    words, turn = "", 0.0
    for number in range(most):
        words = challenge.judge(frame(held, turn), now=0.1 * number)
        if challenge.passed is not None:
            return words
        turn = 0.0 if challenge.asked is None else 35.0 * challenge.asked
    raise AssertionError(f"no end: {words}")


@pytest.mark.parametrize("seed", range(4))
def test_a_head_that_obeys_passes_and_a_photo_does_not(seed):
    head = Challenge(seed)
    assert f"All {TURNS} turns" in obey(head, "a head")
    assert head.passed is True
    photo = Challenge(seed)
    assert "too long" in obey(photo, "a flat photo")
    assert photo.passed is False
    assert len(photo.places) <= 10 * PATIENCE + 10


def test_a_head_that_turns_to_the_other_side_does_not_pass():
    challenge = Challenge(1)
    for number in range(20):
        asked = challenge.asked
        words = challenge.judge(frame("a head", 0.0 if asked is None else -35.0 * asked), now=0.1 * number)
    assert challenge.passed is False
    assert "other side" in words


@pytest.mark.parametrize("period", [12, 30, 60])
def test_a_film_of_a_head_that_turns_to_and_fro_passes_by_luck_alone(period):
    """It plays the same whatever is asked for: right for one lot in eight, for all it knows."""
    passed = 0
    for seed in range(64):
        challenge = Challenge(seed)
        for number in range(400):
            turn = 0.0 if number < 6 else 35 * np.sin(2 * np.pi * (number - 6) / period)
            challenge.judge(frame("a head", turn), now=0.1 * number)
        passed += bool(challenge.passed)
    assert passed <= 64 / 8 + 8


def test_whoever_looks_aside_is_not_looking_ahead():
    challenge = Challenge(0)
    for _ in range(10):
        assert "straight ahead" in challenge.judge(frame("a head", 30))


def test_nobody_and_two_faces_are_said():
    challenge = Challenge(0)
    assert "none" in challenge.judge([])
    assert "One face at a time" in challenge.judge(frame("a head", 0) * 2)
    assert challenge.places == []
    for turn in (0, 30, 0, 30, 0, 30):
        assert "straight ahead" in challenge.judge(frame("a head", turn))
    assert challenge.asked is None


def test_the_camera_starts_it_anew(astronaut):
    challenge = Challenge(0)
    obey(challenge, "a head")
    challenge.receive(challenge, {"kind": "start"}, [])
    assert challenge.passed is None
    buffer = io.BytesIO()
    Image.fromarray(astronaut).resize((320, 320)).save(buffer, "JPEG")
    answer = challenge.look(buffer.getvalue())
    assert "straight ahead" in answer["words"]
    assert [face["label"] for face in answer["faces"]] == [""]
    assert challenge.remembers is False
    assert "camera's picture" in challenge.look(b"no picture")["error"]
