"""The map of faces: its arithmetic against plain loops, JavaScript against Python, and who may be on it."""

import importlib
import io
import itertools
import json
import re
import shutil
import subprocess
import types
from pathlib import Path

import numpy as np
import pytest
import traitlets
from PIL import Image

from facelab.course.widgets import embedding_map
from facelab.course.widgets.embedding_map import (
    CHOICES,
    LIMIT,
    LOOKS,
    MOST,
    PEOPLE,
    EmbeddingMap,
    dial,
    distances_from,
    flatten,
    inside,
    nearest,
    towards,
)
from facelab.datasets import lfw_templates
from facelab.errors import DatasetError

WAYS = ((1, 0), (-1, 0), (0, 1), (0, -1))


@pytest.fixture(scope="module")
def templates():
    return lfw_templates()


@pytest.fixture(scope="module")
def three(templates):
    """A widget of three people, which is quick to make; tests put back what they change."""
    return EmbeddingMap(templates, PEOPLE[:3], photos=12)


@pytest.fixture(scope="module")
def cases():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 16)) + 2 * np.repeat(random.normal(size=(4, 16)), 15, axis=0)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return vectors, np.repeat(range(4), 15), random.uniform(-1, 1, (60, 2)).round(4)


def test_neighbours_and_circle_against_a_loop(cases):
    vectors, person, _ = cases
    for row in (0, 31, 59):
        away = [1 - float(np.dot(vectors[row].astype(float), other.astype(float))) for other in vectors]
        order = sorted((distance, other) for other, distance in enumerate(away) if other != row)
        assert nearest(vectors, row, 7) == [other for _, other in order[:7]]
        for radius in (0.0, 0.3, 0.8, LIMIT):
            within = [other for distance, other in order if distance <= radius]
            own = sum(person[other] == person[row] for other in within)
            assert inside(vectors, person, row, radius) == (own, len(within) - own)


def test_the_dial_shows_true_distances_and_a_sector_for_each_person(cases):
    vectors, person, _ = cases
    points = dial(vectors, person, 20)
    assert np.hypot(*points.T) == pytest.approx(np.minimum(distances_from(vectors, 20), LIMIT), abs=1e-6)
    turn = (np.pi / 2 - np.arctan2(points[:, 1], points[:, 0])) % (2 * np.pi) / (2 * np.pi)
    others = np.arange(60) != 20  # the middle has no direction
    assert np.array_equal(np.floor(4 * turn)[others], person[others])


def test_arrow_keys_reach_the_neighbour_in_their_direction():
    points = np.array([[0.0, 0.0], [0.3, 0.05], [0.1, 0.5], [-0.2, 0.0], [0.2, 0.9]])
    assert [towards(points, 0, way) for way in WAYS] == [1, 3, 2, 0]
    assert towards(points, 2, (0, 1)) == 4


TWIN = """
import { readFileSync } from "node:fs";
const code = readFileSync(process.argv[1], "utf8");
const twin = await import("data:text/javascript;base64," + Buffer.from(code).toString("base64"));
const { vectors, person, points, ways } = JSON.parse(readFileSync(0, "utf8"));
const flat = Float32Array.from(vectors.flat());
const results = person.map((_, row) => {
    const away = twin.distancesFrom(flat, person.length, row);
    return {
        nearest: twin.nearest(away, row, 5), inside: twin.inside(away, person, row, 0.7),
        dial: twin.dial(away, person), towards: ways.map((way) => twin.towards(points, row, way)),
    };
});
console.log(JSON.stringify({ LIMIT: twin.LIMIT, MOST: twin.MOST, results }));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no node; the browser test reads the numbers too")
def test_javascript_gives_what_python_gives(cases):
    vectors, person, points = cases
    given = {"vectors": vectors.tolist(), "person": person.tolist(), "points": points.tolist(), "ways": WAYS}
    command = ["node", "--input-type=module", "-e", TWIN, str(EmbeddingMap._esm._path)]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=True)
    twin = json.loads(done.stdout)
    assert (twin["LIMIT"], twin["MOST"]) == (LIMIT, MOST)
    for row, got in enumerate(twin["results"]):
        assert got["nearest"] == nearest(vectors, row, 5)
        assert tuple(got["inside"]) == inside(vectors, person, row, 0.7)
        assert np.allclose(got["dial"], dial(vectors, person, row), atol=1e-6)
        assert got["towards"] == [towards(points, row, way) for way in WAYS]


def test_a_cell_chooses_a_face_and_reads_its_neighbours(three):
    three.choose(PEOPLE[2], 4)
    assert three.people[three.person[three.chosen]] == PEOPLE[2]
    assert three.number[three.chosen] == 4
    names = three.neighbours(3)
    assert [name for name, _, _ in names] == [PEOPLE[2]] * 3
    assert [distance for _, _, distance in names] == sorted(distance for _, _, distance in names)
    three.radius = LIMIT
    assert three.inside == (11, 24)
    three.radius = 0.0
    assert three.inside == (0, 0)
    three.radius = 0.6
    with pytest.raises(ValueError, match="photo 99"):
        three.choose(PEOPLE[2], 99)


def test_other_people_bring_their_own_points_and_maps(templates):
    widget = EmbeddingMap(templates, PEOPLE[:2], photos=10)
    widget.chosen = 15
    widget.people = [*PEOPLE[:2], "Bill_Clinton"]
    assert widget.chosen == 0
    assert len(widget.person) == len(widget.number) == 30
    assert np.frombuffer(widget.vectors, "<f4").reshape(30, 128)[20:] == pytest.approx(
        templates.of("Bill_Clinton")[:10]
    )
    for points in widget.maps.values():
        assert np.shape(points) == (30, 2)
        assert np.abs(points).max() <= 0.93
    with pytest.raises(traitlets.TraitError, match="Between 2 and 12"):
        widget.people = ["Bill_Clinton"]


def test_only_named_public_figures_can_be_chosen(templates, three):
    assert set(three.choices) <= set(templates.names.values())
    assert CHOICES <= len(three.choices) <= CHOICES + 3
    with pytest.raises(DatasetError):
        EmbeddingMap(templates, ["Kofi_Annan", "Somebody_Else"])


def test_umap_is_asked_for_only_on_request(three, monkeypatch):
    asked = []

    def missing(name):
        asked.append(name)
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(embedding_map.importlib, "import_module", missing)
    three.projection = "t-SNE"
    assert asked == []
    three.projection = "UMAP, seed 2"
    assert asked == ["umap"]
    assert three.projection == "t-SNE"
    assert "pip install umap-learn" in three.message

    class Fake:
        def __init__(self, **options):
            assert options["metric"] == "cosine"

        def fit_transform(self, vectors):
            return vectors[:, :2]

    monkeypatch.setattr(importlib, "import_module", lambda name: types.SimpleNamespace(UMAP=Fake))
    three.projection = "UMAP, seed 2"
    assert np.shape(three.maps["UMAP, seed 2"]) == (36, 2)
    assert three.message == "Fitted just now, with seed 2."
    for seed in (3, 4):  # "now" means now: each time it is chosen, with another seed
        three.projection = "UMAP, fitted now"
        assert three.message == f"Fitted just now, with seed {seed}."
        three.projection = "PCA"


def test_the_maps_that_came_along_are_of_these_very_vectors(templates, monkeypatch):
    monkeypatch.setattr(importlib, "import_module", lambda name: pytest.fail("UMAP was fitted"))
    whole = EmbeddingMap(templates)
    one, two = (np.array(whole.maps[f"UMAP, seed {seed}"]) for seed in (1, 2))
    assert one.shape == two.shape == (len(whole.rows), 2)
    assert not np.allclose(one, two)
    for points in (one, two):  # neighbours are kept …
        away = np.linalg.norm(points[:, None] - points, axis=2) + 9 * np.eye(len(points))
        person = np.array(whole.person)
        assert (person[away.argmin(axis=1)] == person).all()
    assert embedding_map.shipped(whole.rows[::-1]) == {}


def test_maps_are_the_same_each_time_and_keep_neighbours(templates):
    vectors = np.concatenate([templates.of(name)[:12] for name in PEOPLE[:3]])
    for projection in ("PCA", "t-SNE"):
        points = flatten(vectors, projection)
        assert np.array_equal(points, flatten(vectors, projection))
        away = np.linalg.norm(points[:, None] - points, axis=2) + 9 * np.eye(36)
        assert np.mean(away.argmin(axis=1) // 12 == np.arange(36) // 12) > 0.9


def test_each_person_has_a_look_of_its_own():
    assert len({colour for colour, _ in LOOKS}) == len(LOOKS) == MOST
    script = Path(embedding_map.__file__).with_suffix(".js").read_text("utf-8")
    listed = script[script.index("const COLOURS") : script.index("const CIRCLE")]
    assert re.findall(r"#[0-9A-Fa-f]{6}", listed) == [colour for colour, _ in LOOKS]


def test_no_name_covers_another_in_the_stored_picture(templates):
    whole = EmbeddingMap(templates)
    for name, points in whole.maps.items():
        labels = [
            (x, y, 0.043 * len(who))
            for (x, y), who in zip(whole._labels(np.array(points)), whole.people, strict=True)
        ]
        for one, two in itertools.combinations(labels, 2):
            covers = abs(one[0] - two[0]) < (one[2] + two[2]) / 2 and abs(one[1] - two[1]) < 0.129
            assert not covers, name


def test_the_stored_picture_and_its_caption(three):
    data, _ = three._repr_mimebundle_()
    assert "Circle of 0.60" in data["text/plain"]
    before = np.asarray(Image.open(io.BytesIO(three.still_png())))
    three.radius = 0.9
    assert (np.asarray(Image.open(io.BytesIO(three.still_png()))) != before).any()
    three.radius = 0.6
