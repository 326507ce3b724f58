"""The hardest pairs, in order, with photos where they are and never in what is stored."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from facelab.course.widgets.pairs import RANKS, HardPairs
from facelab.datasets import IndexPairs, Templates

MAGENTA = (255, 0, 255)


@pytest.fixture(scope="module")
def templates():
    """100 photos of 50 people; person 0 has a name."""
    random = np.random.default_rng(0)
    vectors = np.repeat(random.normal(size=(50, 8)), 2, axis=0) + random.normal(size=(100, 8)) * 0.6
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    a = np.concatenate([np.arange(0, 100, 2)] * 2)
    b = np.concatenate([np.arange(1, 100, 2), np.roll(np.arange(1, 100, 2), 1)])
    same = np.arange(100) < 50
    return Templates(
        vectors=vectors.astype(np.float32),
        identity=np.arange(100) // 2,
        number=np.arange(100) % 2 + 1,
        names={0: "Somebody_Known"},
        pairs={"lfw": IndexPairs(a, b, same, np.zeros(100, int))},
        fallback=np.zeros(0, int),
        provenance={},
        path=Path("nowhere"),
    )


@pytest.fixture
def photos(tmp_path):
    """A photo set whose every photo is magenta; the second half is of another size."""
    paths = [tmp_path / f"{row}.png" for row in range(100)]
    for row, path in enumerate(paths):
        Image.new("RGB", (250, 250) if row < 50 else (80, 90), MAGENTA).save(path)
    return SimpleNamespace(paths=paths)


def magenta(png: bytes) -> int:
    return int((np.asarray(Image.open(io.BytesIO(png)))[..., :3] == MAGENTA).all(axis=-1).sum())


def test_from_the_hardest_pair_on(templates):
    widget = HardPairs(templates, None, threshold=0.5)
    distances = 1 - templates.scores("lfw")
    for same, order in ((True, np.sort(distances[:50])[::-1]), (False, np.sort(distances[50:]))):
        widget.kind.value = same
        for rank in (1, 2, RANKS):
            widget.rank.value = rank
            assert widget.error is None
            assert f"distance {order[rank - 1]:.3f}" in widget.screen.words


def test_the_verdict_in_words(templates):
    missed = HardPairs(templates, None, threshold=0.0)
    assert "missed at threshold 0.000" in missed.screen.words
    missed.kind.value = False
    assert "rightly told" in missed.screen.words
    lax = HardPairs(templates, None, threshold=2.0)
    assert "rightly told" in lax.screen.words
    lax.kind.value = False
    assert "let through" in lax.screen.words


def test_only_named_people_are_named(templates):
    widget = HardPairs(templates, None, threshold=0.5)
    said = []
    for rank in range(1, RANKS + 1):
        widget.rank.value = rank
        said.append(widget.screen.words)
    assert sum("Somebody Known, photo 1" in line for line in said) == 1
    assert sum("person 7, photo 1" in line for line in said) == 1


def test_photos_are_shown_live_and_never_stored(templates, photos):
    widget = HardPairs(templates, photos, threshold=0.5)
    assert magenta(widget.screen.value) > 20_000
    assert magenta(widget.still_png()) == 0
    widget.rank.value = 2
    assert magenta(widget.screen.value) > 20_000, "storing a picture must not blind the live view"
