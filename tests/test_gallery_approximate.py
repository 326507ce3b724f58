"""Approximate search: what it names is compared exactly, what it misses is counted, the deleted is gone."""

import errno
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import facelab as fl
from facelab.cli import app
from facelab.errors import FacelabError, GalleryError
from facelab.gallery import Gallery, approximate
from facelab.gallery.approximate import KINDS, Approximate

PEOPLE, EACH, DIMENSION = 700, 4, 64


@pytest.fixture(scope="module")
def world():
    """2,800 templates of 700 people, and probes: 300 of them seen anew, and 300 strangers."""
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((PEOPLE + 300, DIMENSION))

    def seen(who):
        vectors = centres[who] + 0.6 * rng.standard_normal((len(who), DIMENSION))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    owner = np.repeat(np.arange(PEOPLE), EACH)
    return seen(owner), owner, np.concatenate([seen(np.arange(300)), seen(np.arange(PEOPLE, PEOPLE + 300))])


def opened(path, world, mode="a", **options):
    gallery = Gallery(path, mode, embedder="mine", dimension=DIMENSION, threshold=0.45, **options)
    if mode == "a" and not len(gallery):
        gallery.enroll_many([f"person {who}" for who in world[1]], world[0])
    return gallery


@pytest.mark.parametrize("kind", KINDS)
def test_distances_are_exact_and_strangers_no_worse(tmp_path, world, kind):
    with opened(tmp_path / "g.hdf", world) as g:
        exact = g.identify(world[2], k=3)
        recall = g.build_index(kind, progress=False)
        found = g.identify(world[2], k=3)
    distances = {(i, c.id): c.distance for i, m in enumerate(exact) for c in m.candidates}
    for row, (a, b) in enumerate(zip(found, exact, strict=True)):
        assert a.distance >= b.distance - 1e-12, "nobody is nearer than the nearest"
        for candidate in a.candidates:
            if (row, candidate.id) in distances:
                assert candidate.distance == pytest.approx(distances[row, candidate.id], abs=1e-12)
        if b.name is None:
            assert a.name is None, "a stranger gets no name that exact search would not give"
        assert "approximate search" in str(a)
        assert f"{recall.found:,} of {recall.total:,}" in str(a)
    named = [(a.id, b.id) for a, b in zip(found, exact, strict=True) if b.name is not None]
    assert len(named) > 250
    assert np.mean([a == b for a, b in named]) > 0.97
    assert recall.templates == PEOPLE * EACH
    assert recall.value > 0.97
    assert not any("approximate" in note for m in exact for note in m.notes)


def test_recall_is_counted_and_not_claimed(tmp_path, world):
    """A search that is kept narrow has the recall that a plain loop finds, and says so."""
    vectors = world[0]
    made = Approximate.build("ivf", vectors, recall=0.05, progress=False)
    assert made.breadth == 1
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(vectors))[:1000]
    probes = approximate.at_the_edge(vectors, rows, approximate.EDGE, rng)
    np.testing.assert_allclose((probes * vectors[rows]).sum(1), 1 - approximate.EDGE, atol=1e-5)
    hits = 0
    for probe in probes[500:]:
        cosines = vectors.astype(np.float64) @ probe.astype(np.float64)
        named = made._named(probe[None], 40)[0]
        hits += cosines.max() <= max(cosines[named], default=-3) + 1e-6
    assert made.recall.found == hits
    assert 100 < hits < 490, "or this tests nothing"
    assert Approximate.build("ivf", vectors, recall=0.99, progress=False).recall.found > hits


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_is_kept_and_used_by_others(tmp_path, world, kind):
    path = tmp_path / "g.hdf"
    with opened(path, world) as g:
        recall = g.build_index(kind, progress=False)
        found = g.identify(world[2])
    assert approximate.place(path, kind).stat().st_mode & 0o077 == 0, "templates are their owner's"
    with opened(path, world, "r", search=kind) as g:
        again = g.identify(world[2])
        assert [m.id for m in again] == [m.id for m in found]
        assert str(recall) in again[0].notes[0]
        with pytest.raises(GalleryError, match="needs exact search"):
            g.identify(world[2][0], score="mean")


@pytest.mark.parametrize("kind", KINDS)
def test_deleted_is_gone_at_once_and_from_the_folder(tmp_path, world, kind):
    path = tmp_path / "g.hdf"
    with opened(path, world) as g:
        g.build_index(kind, progress=False)
        other = approximate.place(path, "hnsw" if kind == "ivf" else "ivf")
        other.write_bytes(b"an index of another day")
        vector = g.vectors(17)[0]
        assert g.identify(vector).id == 17
        names = {m.name for m in g.identify(world[2][:50])} | {None}
        g.delete(17, 3, 699)
        assert not other.exists()
        assert approximate.place(path, kind).exists() == (kind != "hnsw")
        m = g.identify(vector, k=PEOPLE)
        assert not {17, 3, 699} & {c.id for c in m.candidates}
        assert m.name is None
        assert {m.name for m in g.identify(world[2][:50])} <= names
        expected = [m.id for m in g.identify(world[2])]
        with Gallery(path, "r", threshold=0.45) as exact:
            pairs = zip(g.identify(world[2]), exact.identify(world[2]), strict=True)
            assert np.mean([a.id == b.id for a, b in pairs if b.id]) > 0.97, "rows moved, people did not"
    for file in tmp_path.iterdir():
        assert vector.tobytes() not in file.read_bytes(), file.name
    if kind != "hnsw":
        with opened(path, world, "r", search=kind) as g:
            assert [m.id for m in g.identify(world[2])] == expected
    else:
        with opened(path, world, "r", search=kind) as g, pytest.raises(GalleryError, match="no such index"):
            g.identify(vector)


def test_an_index_survives_a_deletion_by_whoever_searches_exactly(tmp_path, world):
    path = tmp_path / "g.hdf"
    with opened(path, world) as g:
        g.build_index("ivf", progress=False)
        vector = g.vectors(17)[0]
    with Gallery(path, "r+", threshold=0.45) as exact:
        exact.delete(17)
    assert vector.tobytes() not in approximate.place(path, "ivf").read_bytes()
    with opened(path, world, "r", search="ivf") as g:
        assert g.identify(vector).id != 17
        assert g.identify(g.vectors(18)[0]).id == 18


def test_an_aim_that_is_missed_is_said(tmp_path, world, monkeypatch):
    monkeypatch.setitem(approximate.WIDEST, "ivf", 1)
    with opened(tmp_path / "g.hdf", world) as g, pytest.warns(UserWarning, match="99.9% was asked for"):
        g.build_index("ivf", recall=0.999, progress=False)


def test_who_came_later_is_found_exactly(tmp_path, world):
    path = tmp_path / "g.hdf"
    stranger = world[2][400]
    with opened(path, world) as g:
        g.build_index("hnsw", progress=False)
        assert g.identify(stranger).name is None
        new = g.enroll("newcomer", stranger)
        g.add(5, world[2][401])
        assert g.identify(stranger).id == new
        assert g.identify(world[2][401]).id == 5
    with opened(path, world, "r", search="hnsw") as g:
        assert g.identify(stranger).id == new
        assert g.identify(world[2][401]).id == 5
    with opened(path, world, "r+", search="hnsw") as g:
        g.delete(new)
        assert g.identify(stranger).name is None
        assert g.identify(world[2][401]).id == 5


def test_another_content_another_index(tmp_path, world):
    path = tmp_path / "g.hdf"
    with opened(path, world) as g:
        g.build_index("ivf", progress=False)
    kept = approximate.place(path, "ivf").read_bytes()
    with opened(path, world) as g:
        g.delete(0)
    approximate.place(path, "ivf").write_bytes(kept)
    with (
        opened(path, world, "r", search="ivf") as g,
        pytest.raises(GalleryError, match=r"gallery changed since.*build_index"),
    ):
        g.identify(world[2][0])


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "other"])
def test_damage_is_noticed(tmp_path, world, damage):
    path = tmp_path / "g.hdf"
    with opened(path, world) as g:
        g.build_index("ivf", progress=False)
    file = approximate.place(path, "ivf")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {"cut": content[:-9], "bit": content, "empty": b"", "other": b"an essay"}[damage]
    file.write_bytes(bytes(damaged))
    with (
        opened(path, world, "r", search="ivf") as g,
        pytest.raises(GalleryError, match=r"damaged.*build_index"),
    ):
        g.identify(world[2][0])
    with opened(path, world, "r") as g:
        assert g.identify(world[2][0]).id == 0, "the gallery itself needs no index"


def test_a_full_disk_leaves_no_index_and_no_harm(tmp_path, world, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(tmp_path / "g.hdf", world) as g:
        with monkeypatch.context() as patch:
            patch.setattr(approximate, "write_all", full)
            with pytest.raises(GalleryError, match="No space left"):
                g.build_index("ivf", progress=False)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["g.hdf", "g.hdf.lock"]
        assert g.identify(world[2][0]).id == 0


def test_small_and_empty_galleries(tmp_path, world):
    with Gallery(tmp_path / "g.hdf", embedder="mine", dimension=DIMENSION, threshold=0.45) as g:
        with pytest.raises(GalleryError, match="nobody"):
            g.build_index("ivf")
        g.enroll("one", world[0][0])
        for kind in ("ivf", "hnsw"):
            g.build_index(kind, progress=False)
            assert g.identify(world[0][0]).name == "one"
            assert g.identify(world[0][:0]) == []
        with pytest.raises(GalleryError, match="256 templates"):
            g.build_index("ivfpq", progress=False)
        g.clear()
        assert g.identify(world[0][0]).name is None
        with pytest.raises(ValueError, match="choose one of"):
            g.build_index("best")
        with pytest.raises(ValueError, match="share"):
            g.build_index("ivf", recall=1.2)
    with pytest.raises(ValueError, match="choose one of"):
        Gallery(tmp_path / "g.hdf", search="fast")


def test_without_faiss_the_error_says_what_to_install(tmp_path, world, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with opened(tmp_path / "g.hdf", world) as g, pytest.raises(FacelabError, match=r"facelab\[faiss\]"):
        g.build_index("ivf")


def test_readers_build_nothing(tmp_path, world):
    opened(tmp_path / "g.hdf", world).close()
    with opened(tmp_path / "g.hdf", world, "r") as g, pytest.raises(GalleryError, match="reading only"):
        g.build_index("ivf")


def test_the_commands(tmp_path, hopper):
    path = tmp_path / "g.hdf"
    templates = fl.datasets.lfw_templates()
    with Gallery(path) as g:
        g.enroll_many([f"{who}" for who in templates.identity[:3000]], templates.vectors[:3000])
    done = CliRunner().invoke(app, ["gallery", "index", str(path), "--kind", "ivf", "--json"])
    assert done.exit_code == 0, done.output
    counted = json.loads(done.stdout.splitlines()[-1])
    assert counted["low"] <= counted["recall"] <= counted["high"]
    photo = tmp_path / "photo.png"
    Image.fromarray(hopper).save(photo)
    done = CliRunner().invoke(app, ["gallery", "identify", str(path), str(photo), "--search", "ivf"])
    assert done.exit_code in (0, 1), done.output
    assert "approximate search (ivf)" in done.stdout
    done = CliRunner().invoke(app, ["gallery", "identify", str(path), str(photo), "--search", "hnsw"])
    assert done.exit_code == 2
    assert "facelab gallery index" in " ".join(done.stderr.split())
