"""data/lfw_templates.h5: what is in it, what it gives, and that damage is noticed."""

import hashlib
import importlib.util
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from facelab import datasets, metrics, weights
from facelab.datasets import templates as module
from facelab.errors import DatasetError

DATA = Path(__file__).resolve().parent.parent / "data"


@pytest.fixture(scope="module")
def templates():
    return datasets.lfw_templates()


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_lfw_templates", DATA / "make_lfw_templates.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_contents(templates):
    assert templates.vectors.shape == (13_233, 128)
    assert templates.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(templates.vectors, axis=1), 1, atol=1e-6)
    assert templates.identity.max() == 5_748
    assert np.array_equal(np.unique(templates.identity), np.arange(5_749))
    assert {name: len(pairs) for name, pairs in templates.pairs.items()} == {
        "lfw": 6000,
        "devtest": 1000,
        "devtrain": 2200,
        "lookalike": 6000,
    }
    for pairs in templates.pairs.values():
        assert np.array_equal(templates.identity[pairs.a] == templates.identity[pairs.b], pairs.same)
    assert templates.path == DATA / "lfw_templates.h5"
    assert "13,233 vectors of 5,749 people, 158 of them named" in str(templates)


def is_text(item):
    return isinstance(item, h5py.Dataset) and item.dtype.kind in "OSU"


def test_only_people_with_ten_photos_are_named(templates):
    assert len(templates.names) == 158
    assert {person for person, count in enumerate(templates.counts) if count >= 10} == set(templates.names)
    assert len(templates.of("George_W_Bush")) == 530
    with pytest.raises(DatasetError, match="not among the 158 people"):
        templates.of("Zico")
    texts = []
    with h5py.File(templates.path) as file:  # nowhere else in the file either
        file.visititems(lambda name, item: texts.append(name) if is_text(item) else None)
    assert texts == ["names/name"]
    assert b"Zico" not in templates.path.read_bytes()


def test_provenance_names_the_weights_in_use(templates):
    assert templates.provenance["yunet_sha256"] == weights.KNOWN["yunet"].sha256
    assert templates.provenance["sface_sha256"] == weights.KNOWN["sface"].sha256
    assert templates.provenance["lfw_variant"] == "deepfunneled"
    assert templates.provenance["lfw_archive_sha256"] == datasets.wild.DEEPFUNNELED_SHA256


def test_lfw_accuracy_is_the_one_in_the_readme(templates):
    pairs = templates.pairs["lfw"]
    result = metrics.k_fold_accuracy(templates.scores("lfw"), pairs.same, pairs.fold)
    assert result.mean >= 0.9935


def test_size_fits_a_repository(templates):
    assert templates.path.stat().st_size < 4.5e6


def test_rows_are_lfws(templates, lfw):
    assert np.array_equal(templates.identity, lfw.identity)
    assert np.array_equal(templates.number, lfw.number)
    assert [templates.names[person] for person in sorted(templates.names)] == [
        lfw.names[person] for person in np.flatnonzero(lfw.counts >= 10)
    ]
    for protocol, pairs in templates.pairs.items():
        listed = lfw.pairs(protocol)
        a, b = listed.rows(lfw)
        assert np.array_equal(a, pairs.a)
        assert np.array_equal(b, pairs.b)
        assert np.array_equal(listed.fold, pairs.fold)


def test_vectors_are_the_default_pipelines(templates, lfw):
    from facelab import Pipeline

    rows = np.linspace(0, len(lfw) - 1, 16).astype(int)
    pipe = Pipeline(faces="central", device="cpu")
    assert pipe.config == templates.provenance["config"]
    vectors = np.concatenate(
        [result.vectors for result in pipe([lfw.paths[row] for row in rows], progress=False)]
    )
    assert (vectors * templates.vectors[rows]).sum(axis=1).min() > 0.9999


# ---------------------------------------------------------------------- writing and reading


def test_the_script_writes_the_same_file_twice(script, templates, tmp_path):
    arrays, names = stored(templates.path)
    for name in ("a.h5", "b.h5"):
        script.write(tmp_path / name, arrays, names, {"config": "x", "lfw_variant": "y"})
    first, second = (hashlib.sha256((tmp_path / name).read_bytes()).digest() for name in ("a.h5", "b.h5"))
    assert first == second
    again = datasets.lfw_templates(tmp_path / "a.h5")
    assert np.array_equal(again.vectors, templates.vectors)
    assert again.names == templates.names


def test_an_interrupted_script_leaves_the_old_file(script, templates, tmp_path):
    target = tmp_path / "lfw_templates.h5"
    target.write_bytes(b"old")
    arrays, _ = stored(templates.path)
    with pytest.raises(TypeError):
        script.write(target, arrays, [object()], {})
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["lfw_templates.h5"]


def stored(path):
    with h5py.File(path) as file:
        arrays = {name: file[name][()] for name in [*module.COLUMNS, "fallback"]}
        return arrays, list(file["names/name"].asstr()[()])


@pytest.fixture
def copy(templates, tmp_path):
    return Path(shutil.copy(templates.path, tmp_path / "copy.h5"))


def change(path, name, alter):
    with h5py.File(path, "r+") as file:
        value = alter(file[name][()])
        del file[name]
        file[name] = value


@pytest.mark.parametrize(
    ("name", "alter", "message"),
    [
        ("vectors", lambda v: v[:-1], r"vectors is float16 \(13232, 128\)"),
        ("vectors", lambda v: v.astype(np.float32), "vectors is float32"),
        ("vectors", lambda v: np.roll(v, 1, axis=0), "do not match its checksum"),
        ("identity", lambda v: v[::-1], "do not match its checksum"),
        ("pairs/lfw/same", lambda v: ~v, "do not match its checksum"),
        ("names/name", lambda v: v[::-1], "do not match its checksum"),
        ("fallback", lambda v: np.zeros(20_000, np.uint16), "fallback is uint16"),
    ],
)
def test_a_changed_file_is_refused(copy, name, alter, message):
    change(copy, name, alter)
    with pytest.raises(DatasetError, match=message):
        datasets.lfw_templates(copy)


def test_damaged_and_foreign_files_are_refused(copy, tmp_path):
    whole = copy.read_bytes()
    for keep in (0, 100, 100_000, len(whole) - 1000):
        copy.write_bytes(whole[:keep])
        with pytest.raises(DatasetError, match=r"copy\.h5"):
            datasets.lfw_templates(copy)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(DatasetError, match="not a file of LFW templates"):
        datasets.lfw_templates(tmp_path / "other.h5")
    with pytest.raises(DatasetError, match="is not in"):
        datasets.lfw_templates(tmp_path / "none.h5")


def test_the_users_folder_is_the_second_place(templates, tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    assert module.default_places() == [DATA / "lfw_templates.h5", tmp_path / "lfw_templates.h5"]
    monkeypatch.setattr(
        module, "default_places", lambda: [tmp_path / "none.h5", tmp_path / "lfw_templates.h5"]
    )
    with pytest.raises(DatasetError, match="is not in"):
        datasets.lfw_templates()
    shutil.copy(templates.path, tmp_path)
    assert datasets.lfw_templates().path == tmp_path / "lfw_templates.h5"
