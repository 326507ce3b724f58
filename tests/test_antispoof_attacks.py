"""Simulated attacks: from a seed, within their ranges, where the face was, quick enough for a slider."""

import time
from dataclasses import fields, replace

import numpy as np
import pytest

from facelab import metrics
from facelab.antispoof import (
    BONA_FIDE,
    KINDS,
    Camera,
    Captures,
    CutEyes,
    Print,
    Recompress,
    Replay,
    make_captures,
    other_camera,
    pair,
    plane,
    scores,
    take,
    without_border,
)
from facelab.antispoof.camera import OTHER
from facelab.antispoof.fit import RECIPE, fit
from facelab.course import lesson12
from facelab.detect import Face
from facelab.errors import DatasetError, ImageError


@pytest.fixture(scope="module")
def scene():
    return lesson12.scene(5)


@pytest.fixture(scope="module")
def behind():
    return lesson12.scene(8)


def grey(photo: np.ndarray) -> np.ndarray:
    return photo.astype(float).mean(2)


def detail(photo: np.ndarray) -> float:
    """How much neighbouring pixels differ."""
    return float(np.abs(np.diff(grey(photo), axis=1)).mean())


# --- numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [*KINDS.values(), Camera])
def test_the_same_generator_draws_the_same_within_the_ranges(what):
    one, same, other = (what.draw(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one == same != other
    for seed in range(20):
        drawn = what.draw(np.random.default_rng(seed))
        for name, its in what.ranges().items():
            value = getattr(drawn, name)
            assert its.low <= its.drawn[0] <= value <= its.drawn[1] <= its.high
            assert isinstance(value, type(its.default))


@pytest.mark.parametrize("what", [*KINDS.values(), Camera])
def test_every_number_has_a_range_and_is_held_to_it(what):
    assert {f.name for f in fields(what)} == {*what.ranges(), "seed"}
    for name, its in what.ranges().items():
        what(**{name: its.low}), what(**{name: its.high})
        for beyond in (its.low - 1, its.high + 1, float("nan")):
            with pytest.raises(ValueError, match=name):
                what(**{name: beyond})


def test_the_other_cameras_are_none_of_the_trainings():
    known = Camera.ranges()
    for name, (low, high) in OTHER.items():
        assert high <= known[name].drawn[0] or low >= known[name].drawn[1]
    assert other_camera(np.random.default_rng(1)) == other_camera(np.random.default_rng(1))
    for name, (low, high) in OTHER.items():
        assert low <= getattr(other_camera(np.random.default_rng(2)), name) <= high


# --- pictures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_is_a_photo_of_the_same_size_and_the_same_each_time(scene, behind, kind):
    photo, face = scene
    before = photo.copy()
    attack = KINDS[kind].draw(np.random.default_rng(0))
    seen = attack.apply(photo, face, behind)
    assert seen.shape == photo.shape
    assert seen.dtype == np.uint8
    assert np.array_equal(seen, attack.apply(photo, face, behind))
    assert np.array_equal(photo, before)
    assert np.abs(seen.astype(int) - photo).mean() > 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_answers_a_slider(kind):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (250, 250, 3), np.uint8)
    photo.flags.writeable = False
    face = Face(np.array([75, 60, 155, 170], np.float32), lesson12.face_of_drawing().landmarks, 1.0)
    attack = KINDS[kind].draw(rng)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        attack.apply(photo, face)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.15  # 20 to 35 ms where it was written


def test_a_plain_print_is_the_photo_in_its_place(scene):
    """No dots, no slant, full contrast: ink is what the photo lacks, on nearly white paper."""
    photo, face = scene
    seen = Print(dots=0.0, contrast=1.0, warmth=0.0, shown=2.0, border=0.0).apply(photo, face)
    assert np.corrcoef(grey(seen).ravel(), grey(photo).ravel())[0, 1] > 0.99
    white = Print(dots=0.0, contrast=1.0, warmth=0.0, border=0.0, shown=2.0).apply(
        np.full_like(photo, 255), face
    )
    assert white.min() > 230


def test_the_border_is_paper_and_beyond_it_is_what_is_behind(scene, behind):
    photo, face = scene
    seen = Print(shown=0.7, border=0.2, dots=0.0, warmth=0.0).apply(photo, face, behind)
    (cx, cy), side = face.center, plane.side_of(face)
    paper = seen[round(cy), round(cx + 0.8 * side)]
    assert paper.min() > 215
    far = (round(cx - 1.05 * side), round(cy))
    bare = Print(shown=0.7, border=0.2, dots=0.0).apply(photo, face, None)[far[1], far[0]]
    wanted = behind[0][far[1], far[0]].astype(int)  # its face lies at the same place, and is as large
    assert np.abs(seen[far[1], far[0]].astype(int) - wanted).max() < 45
    assert not np.array_equal(bare, seen[far[1], far[0]])


def test_the_pitch_of_the_dots_is_what_it_says(scene):
    """A flat grey printed at angle 0: the yellow's screen repeats every pitch in x; so does the sum."""
    photo, face = scene
    flat, side = np.full_like(photo, 128), plane.side_of(face)
    for pitch in (0.06, 0.1):
        ink = Print(pitch=pitch, angle=0.0, dots=1.0, contrast=1.0, shown=2.5, border=0.0).apply(flat, face)
        row = ink[100, :, 2].astype(float)  # blue light: yellow's ink
        spectrum = np.abs(np.fft.rfft(row - row.mean(), 4096))
        period = 4096 / (spectrum[40:].argmax() + 40)
        assert period == pytest.approx(pitch * side, rel=0.08)


def test_slant_narrows_and_keeps_the_middle(scene):
    photo, face = scene
    photo = np.full_like(photo, 10)
    plain = {"dots": 0.0, "shown": 0.6, "border": 0.1, "contrast": 1.0}
    dark = np.array([[[5, 5, 5]]], np.uint8).repeat(200, 0).repeat(200, 1)
    behind = (dark, face)
    widths = []
    for slant in (0.0, 0.4, 0.8):
        seen = grey(Print(slant=slant, **plain).apply(photo, face, behind))
        paper = seen[round(face.center[1])] > 100
        widths.append(np.ptp(np.flatnonzero(paper)))
        assert not paper[round(face.center[0])]  # the picture, not its border, is still in the middle
    assert widths[0] > widths[1] > widths[2]


def test_dots_and_stripes_are_detail_that_the_photo_had_not(scene):
    photo, face = scene
    flat = np.full_like(photo, 128)
    even = detail(Print(dots=0.0, border=0.0, shown=2.0).apply(flat, face))
    assert detail(Print(dots=1.0, border=0.0, shown=2.0).apply(flat, face)) > even + 5
    still = detail(Replay(grid=0.0, bezel=0.0, shown=2.0).apply(flat, face))
    assert detail(Replay(grid=1.0, bezel=0.0, shown=2.0).apply(flat, face)) > still + 1


def test_behind_the_holes_are_the_other_persons_eyes(scene, behind):
    photo, face = scene
    closed = Print(dots=0.0).apply(photo, face, behind)
    cut = CutEyes(dots=0.0, hole=0.12).apply(photo, face, behind)
    changed = np.abs(cut.astype(int) - closed).max(2) > 8
    ys, xs = np.nonzero(changed)
    side = plane.side_of(face)
    for x, y in np.column_stack([xs, ys]):
        assert np.linalg.norm(face.landmarks[:2] - (x, y), axis=1).min() < 0.14 * side
    for (x, y), (ox, oy) in zip(face.landmarks[:2], behind[1].landmarks[:2], strict=True):
        seen, there = cut[round(y), round(x)].astype(int), behind[0][round(oy), round(ox)].astype(int)
        assert np.abs(seen - there).max() < 60


def test_recompression_makes_blocks(scene):
    photo, face = scene
    hard = Recompress(quality=5, scale=1.0).apply(photo, face)
    edges = np.abs(np.diff(grey(hard), axis=1)).mean(0)
    assert edges[7::8].mean() > 1.5 * edges[3::8].mean()
    mild = Recompress(quality=90, scale=1.0).apply(photo, face)
    assert np.abs(mild.astype(int) - photo).mean() < np.abs(hard.astype(int) - photo).mean()


def test_a_camera_that_changes_nothing_and_one_that_does(scene):
    photo, _ = scene
    assert np.array_equal(Camera().apply(photo), photo)
    assert detail(Camera(blur=2.0).apply(photo)) < detail(photo) < detail(Camera(noise=20.0).apply(photo))
    assert Camera(gain=0.5).apply(photo).mean() == pytest.approx(photo.mean() / 2, rel=0.03)
    noisy = Camera(noise=5.0, seed=1)
    assert np.array_equal(noisy.apply(photo), noisy.apply(photo))
    assert not np.array_equal(noisy.apply(photo), replace(noisy, seed=2).apply(photo))


def test_bad_input_is_named(scene):
    photo, face = scene
    with pytest.raises(ImageError, match="uint8"):
        Print().apply(photo / 255.0, face)
    with pytest.raises(ImageError, match="Replay"):
        Replay().apply(photo[..., 0], face)
    with pytest.raises(ImageError, match="uint8"):
        CutEyes().apply(photo, face, (photo.astype(float), face))
    empty = Face(np.zeros(4, np.float32), face.landmarks, 1.0)
    for attack in (Print(), Replay(), CutEyes(), Recompress()):
        with pytest.raises(ValueError, match="empty"):
            attack.apply(photo, empty)
    with pytest.raises(ValueError, match="mask"):
        take(photo, face, "mask", np.random.default_rng(0))


# --- captures and what can be learnt from them ------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    return lesson12.drawn_captures(40, seed=3, side=48)


def test_captures_are_of_whom_and_what_they_say(data, tmp_path):
    its = data.captures
    assert len(its) == 40 * 6
    assert {*its.kind.tolist()} == {BONA_FIDE, *KINDS}
    assert np.bincount(its.person).tolist() == [6] * 40
    assert not set(data.train) & set(data.held)
    fewer = make_captures(lesson12.scenes(40, 3)[:3], range(3), seed=3, side=48)
    assert np.array_equal(fewer.crops[:12], its.crops[:12])  # the same, whatever the number of photos
    its.save(tmp_path / "captures.npz")
    again = Captures.load(tmp_path / "captures.npz")
    assert np.array_equal(again.crops, its.crops)
    assert np.array_equal(again.kind, its.kind)
    assert {*its.without("print", "eyes").kind.tolist()} == {BONA_FIDE, "replay", "recompress"}
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"bad\.npz"):
        Captures.load(tmp_path / "bad.npz")
    with pytest.raises(ValueError, match="person"):
        Captures(its.crops, its.kind, its.person[:3])


def test_it_learns_the_attacks_and_not_the_camera(data):
    """The control: photos taken twice, and nothing more, score as those taken once. Paper is told apart."""
    train, held = data.of(data.train), data.of(data.held)
    net = fit(train.without("replay", "recompress"), replace(RECIPE, epochs=10, batch_size=32, ema=0.9))
    live = scores(net, held.crops[held.live])
    paper = scores(net, held.crops[np.isin(held.kind, ("print", "eyes"))])
    told = metrics.auc(np.r_[live, paper], np.r_[np.ones(len(live), bool), np.zeros(len(paper), bool)])
    assert told > 0.85
    once, twice = [], []
    scenes = lesson12.scenes(40, 3)
    for row in data.held:
        photo, face = scenes[row]
        for number in range(4):
            rng = np.random.default_rng([9, row, number])
            first = Camera.draw(rng).apply(photo)
            once.append(pair(first, face, 48))
            twice.append(pair(Camera.draw(rng).apply(first), face, 48))
    a, b = scores(net, np.stack(once)), scores(net, np.stack(twice))
    control = metrics.auc(np.r_[a, b], np.r_[np.ones(len(a), bool), np.zeros(len(b), bool)])
    assert abs(control - 0.5) < 0.15


def test_training_is_the_same_each_time_and_can_be_stopped(data):
    few = data.of(data.train[:6])
    recipe = replace(RECIPE, epochs=2, batch_size=8)
    one, two = fit(few, recipe), fit(few, recipe)
    assert np.array_equal(scores(one, few.crops), scores(two, few.crops))
    epochs = []
    fit(few, replace(recipe, epochs=50), lambda epoch, loss: epochs.append(epoch), lambda: True)
    assert epochs == [1]
    with pytest.raises(ValueError, match="both needed"):
        fit(few.where(few.live))


def test_without_border_keeps_the_middle_alone(data):
    its = data.captures.crops[:4]
    bare = without_border(its)
    assert np.array_equal(bare[:, 0], its[:, 0])
    assert np.array_equal(bare[:, 1, 12:36, 12:36], its[:, 1, 12:36, 12:36])
    outside = bare[:, 1].copy()
    outside[:, 12:36, 12:36] = 127
    assert (outside == 127).all()
    assert np.array_equal(without_border(its[0]), bare[0])
