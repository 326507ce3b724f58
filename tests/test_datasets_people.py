"""A folder of own photos, all the way to vectors: what is left out, and that it is said."""

import unicodedata

import h5py
import numpy as np
import pytest
from PIL import Image

from facelab import Pipeline, datasets, embeddings_file
from facelab.errors import DatasetError


@pytest.fixture(scope="module")
def pipe():
    return Pipeline(device="cpu")


@pytest.fixture
def people(tmp_path, astronaut, hopper):
    """Two women whose names are written in Hangul (taken apart, as macOS does) and in kanji, and a mess."""
    root = tmp_path / "people"
    collins, other = root / unicodedata.normalize("NFD", "콜린스"), root / "宇宙飛行士"
    for folder in (collins, other):
        folder.mkdir(parents=True)
    save(astronaut, collins / "1.png")
    save(astronaut[:, ::-1], collins / "2.png")
    save(astronaut, collins / "copy of 1.png")
    save(hopper, other / "1.png")
    darker = hopper[:512, :512] // 4 * 3
    save(np.concatenate([darker, astronaut[:, :340]], axis=1), other / "two women.png")
    save(np.zeros((90, 90, 3), np.uint8), other / "nobody.png")
    (other / "text.jpg").write_text("no photo")
    (other / "notes.txt").write_text("no photo either")
    save(hopper[:, ::-1], other / "both.png")
    save(hopper[:, ::-1], collins / "both.png")
    return root


def save(photo, path):
    Image.fromarray(np.ascontiguousarray(photo)).save(path)


def kept(found) -> dict[str, set[str]]:
    return {
        name: {
            path.replace("\\", "/").split("/")[-1]
            for path, who in zip(found.paths, found.identity, strict=True)
            if who == k
        }
        for k, name in enumerate(found.names)
    }


EXPECTED = {"宇宙飛行士": {"1.png", "two women.png"}, "콜린스": {"1.png", "2.png"}}


def test_a_folder_becomes_people(people, pipe):
    found = datasets.embedded(datasets.folder(people), pipe, progress=False)
    assert kept(found) == EXPECTED
    assert found.config == "yunet+aligned+sface"
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    cosines = found.vectors @ found.vectors.T
    assert np.array_equal(cosines > 0.36, found.identity[:, None] == found.identity)
    said = str(found)
    for words in (
        "4 photos of 2 people",
        "nobody.png: yunet found no face",
        "text.jpg",
        "notes.txt: skipped, not a photo, by its name",
        "two women.png: 2 faces, the largest was taken",
        "the same photo, taken once",
        "one photo under the names 宇宙飛行士 and 콜린스, left out",
    ):
        assert words in said, words


def test_a_file_of_embeddings_says_the_same(people, pipe, tmp_path):
    target = tmp_path / "vectors.h5"
    save(np.zeros((50, 50, 3), np.uint8), people / "loose.png")
    embeddings_file.write(pipe(people, progress=False), target, pipe)
    found, direct = datasets.read_embedded(target), datasets.embedded(datasets.folder(people), pipe)
    assert kept(found) == EXPECTED
    order, other = np.argsort(found.paths), np.argsort(direct.paths)
    np.testing.assert_allclose(found.vectors[order], direct.vectors[other], atol=1e-5)
    assert "one photo under the names 宇宙飛行士 and 콜린스, left out" in str(found)
    assert "2 faces, the largest was taken" in str(found)


def test_photos_beside_the_sub_folders_belong_to_nobody(people, pipe, tmp_path, astronaut):
    save(astronaut, people / "loose.png")
    embeddings_file.write(pipe(people, progress=False), tmp_path / "v.h5", pipe)
    found = datasets.read_embedded(tmp_path / "v.h5")
    assert "loose.png: left out, not in a person's sub-folder" in str(found)
    assert kept(found) == EXPECTED


def test_without_any_vector_the_reasons_are_told(tmp_path, pipe):
    (tmp_path / "a").mkdir()
    save(np.zeros((90, 90, 3), np.uint8), tmp_path / "a" / "nobody.png")
    with pytest.raises(DatasetError, match=r"no photo gave a vector of one person(.|\n)*found no face"):
        datasets.embedded(datasets.folder(tmp_path), pipe, progress=False)


def test_another_file_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="is no file that `facelab embed` wrote"):
        datasets.read_embedded(datasets.lfw_templates().path)
    with pytest.raises(DatasetError, match="there is no such file"):
        datasets.read_embedded(tmp_path / "nowhere.h5")


def embeddings(path, **changed):
    """A file as `facelab embed` writes it, of two people with two photos each, but for what is changed."""
    columns = {
        "vectors": np.eye(4, 128, dtype=np.float32),
        "photo": np.arange(4),
        "photos": ["root/a/1.jpg", "root/a/2.jpg", "root/b/1.jpg", "root/b/2.jpg"],
        "errors": [""] * 4,
    } | changed
    with h5py.File(path, "w") as file:
        file.attrs.update(config="yunet+aligned+sface", complete=True)
        for name, column in columns.items():
            file.create_dataset(name, **(column if isinstance(column, dict) else {"data": column}))
    return path


def test_the_file_made_by_hand_is_read_when_nothing_is_wrong(tmp_path):
    assert datasets.read_embedded(embeddings(tmp_path / "v.h5")).names == ("a", "b")


@pytest.mark.parametrize(
    "changed",
    [
        {"vectors": np.full((4, 128), np.nan, np.float32)},
        {"vectors": 7 * np.eye(4, 128, dtype=np.float32)},
        {"vectors": np.eye(4, 128, dtype=int)},
        {"vectors": {"shape": (2**40, 128), "dtype": "f4", "chunks": (2**10, 128)}},
        {"photo": np.array([-1, 0, 1, 2])},
        {"photo": np.array([0, 1, 2, 4])},
        {"photo": np.array([0, 0.5, 1, 2])},
        {"photo": np.zeros((4, 2), int)},
    ],
)
def test_a_damaged_file_of_embeddings_is_refused(tmp_path, changed):
    with pytest.raises(DatasetError, match=r"v\.h5 is (damaged|no file that `facelab embed` wrote)"):
        datasets.read_embedded(embeddings(tmp_path / "v.h5", **changed))
