"""Pairs of people who look alike: the protocol made here, and FGLFW's list, which users bring."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from facelab import datasets
from facelab.datasets import fglfw, lookalike, protocols
from facelab.errors import DatasetError
from facelab.metrics import k_fold_accuracy

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def templates():
    return datasets.lfw_templates()


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make", ROOT / "data" / "make_lfw_lookalike.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


# ---------------------------------------------------------------------- the look-alikes made here


def test_the_stored_list_is_what_the_script_makes_of_the_templates(script, templates):
    found = script.replacements(templates.vectors, templates.identity, templates.pairs["lfw"])
    assert found.tolist() == lookalike.replacements().tolist()
    told = json.loads(lookalike.FILE.read_text("utf-8"))
    assert told["templates_sha256"] == templates.provenance["content_sha256"]


def test_positives_folds_and_first_photos_are_lfws(templates):
    lfw, alike = templates.pairs["lfw"], templates.pairs["lookalike"]
    assert np.array_equal(lfw.same, alike.same)
    assert np.array_equal(lfw.fold, alike.fold)
    assert np.array_equal(lfw.a, alike.a)
    assert np.array_equal(lfw.b[lfw.same], alike.b[lfw.same])


def test_negatives_show_two_people_once_in_a_fold_and_folds_share_nobody(templates):
    pairs, identity = templates.pairs["lookalike"], templates.identity
    negative = np.flatnonzero(~pairs.same)
    people = [frozenset((identity[pairs.a[k]], identity[pairs.b[k]])) for k in negative]
    assert all(len(two) == 2 for two in people)
    assert len(set(people)) == 3000
    folds = [
        set(identity[pairs.a[pairs.fold == f]]) | set(identity[pairs.b[pairs.fold == f]]) for f in range(10)
    ]
    assert sum(map(len, folds)) == len(set().union(*folds))


def test_no_two_people_who_must_be_one_are_paired(script, templates):
    scores, pairs = templates.scores("lookalike"), templates.pairs["lookalike"]
    assert scores[~pairs.same].max() < script.ONE_PERSON
    assert np.all(scores[~pairs.same].min() > np.median(templates.scores("lfw")[~pairs.same]))


def test_the_rule_by_hand(script, monkeypatch):
    """Two folds of one positive and two negatives; the vectors lie in a plane, at angles that can be read."""
    #        person  0   0   1   2   3 | 4   4   5   6
    degrees = np.array([0, 8, 70, 90, 40, 0, 9, 60, 80])
    identity = np.array([0, 0, 1, 2, 3, 4, 4, 5, 6])
    vectors = np.column_stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]).astype(np.float32)
    a, b = np.array([0, 0, 2, 5, 5, 8]), np.array([1, 3, 4, 6, 7, 5])
    same, fold = np.array([1, 0, 0, 1, 0, 0], bool), np.repeat([0, 1], 3)
    monkeypatch.setattr(script, "ONE_PERSON", 0.99)  # here nobody is anybody else
    found = script.replacements(vectors, identity, datasets.IndexPairs(a, b, same, fold))
    # 0 is nearest 4 (40°): line 2, side 1. 2 (70°) is nearest 3 (90°): line 1, side 1.
    # Of the second fold: 5 is nearest 7 (60°): line 4, side 1. 8 (80°) is nearest 7 too: two other people.
    assert found.tolist() == [2 * 2 + 1, 2 * 1 + 1, 2 * 4 + 1, 2 * 4 + 1]
    monkeypatch.setattr(script, "ONE_PERSON", np.cos(np.radians(21)))  # now 1 and 2, 20° apart, are one
    again = script.replacements(vectors, identity, datasets.IndexPairs(a, b, same, fold))
    assert again[1] == 2 * 2 + 1


def test_it_is_hard_and_not_hopeless(templates):
    easy, hard = (
        k_fold_accuracy(templates.scores(p), templates.pairs[p].same, templates.pairs[p].fold)
        for p in ("lfw", "lookalike")
    )
    assert 0.96 < hard.mean < 0.98 < 0.99 < easy.mean
    assert min(hard.thresholds) > max(easy.thresholds)


def test_photos_and_templates_have_the_same_pairs(templates, lfw):
    pairs, index = lfw.pairs("lookalike"), templates.pairs["lookalike"]
    a, b = pairs.rows(lfw)
    assert pairs.protocol == "lookalike"
    assert np.array_equal(a, index.a)
    assert np.array_equal(b, index.b)


# ---------------------------------------------------------------------- FGLFW's list


def names(place: int) -> tuple[tuple[str, int], tuple[str, int]]:
    """The two photos of a pair of a list in FGLFW's shape."""
    fold, same = place // 600, place // 300 % 2 == 0
    return (f"Ann-Lee_{fold}", 1), (f"Ann-Lee_{fold}" if same else f"Zico_{fold}", place % 300 + 2)


def file_name(photo, bare=False):
    name, number = photo
    return f"{name}_{number:04d}.jpg" if bare else f"{name}/{name}_{number:04d}.jpg"


def text(between="\t", after="\n", bare=False, first=""):
    return first + "".join(
        file_name(a, bare) + between + file_name(b, bare) + after for a, b in map(names, range(6000))
    )


LAYOUTS = {
    "tabs": text(),
    "two lines for a pair": text(between="\n"),
    "bare names, spaces, Windows": text("  ", "\r\n", bare=True),
    "a count first, a mark of UTF-8, and empty lines": text(", ", "\n\n", first="\ufeff10 300\n"),
    "backslashes and a folder above": text().replace("/", "\\").replace("Ann", "lfw\\Ann", 1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_plausible_layout_is_read(layout):
    pairs = protocols.parse_fglfw(LAYOUTS[layout], "x")
    assert [pairs.a[0], pairs.b[0], pairs.b[300]] == [("Ann-Lee_0", 1), ("Ann-Lee_0", 2), ("Zico_0", 2)]
    assert (pairs.a[-1], pairs.b[-1]) == names(5999)
    assert pairs.same.sum() == 3000
    assert np.bincount(pairs.fold).tolist() == [600] * 10
    assert np.array_equal(pairs.same, [a[0] == b[0] for a, b in zip(pairs.a, pairs.b, strict=True)])


def lines(change):
    rows = text().splitlines()
    return "\n".join(change(rows))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds 0 pairs, and FGLFW has 6,000"),
        (lines(lambda rows: rows[:-1]), "holds 5,999 pairs"),
        (lines(lambda rows: [*rows, "Zico_0001.jpg"]), "holds 6,000 and a half pairs"),
        (lines(lambda rows: [*rows[:7], "Zico\t1\t2", *rows[8:]]), "line 8: 'Zico' is no file name"),
        (lines(lambda rows: rows[300:] + rows[:300]), "line 1: pair 1 of fold 1 should show the same person"),
        (
            lines(lambda rows: rows[1:] + rows[:1]),
            "line 300: pair 300 of fold 1 should .* Ann-Lee_0 and Zico_0",
        ),
        (lines(lambda rows: [*rows[:4], rows[4] + "\tZico_0001.jpg", *rows[5:]]), "line 5: .* with three"),
        (lines(lambda rows: ["A/B_0001.jpg B_0002.jpg", *rows[1:]]), "line 1: .* somebody else's folder"),
        (lines(lambda rows: ["B_0002.jpg B_0002.jpg", *rows[1:]]), "line 1: a photo is paired with itself"),
    ],
)
def test_another_list_is_refused_and_the_line_named(content, message):
    with pytest.raises(DatasetError, match=message) as caught:
        fglfw.parse(content, "list.txt")
    assert "list.txt" in str(caught.value)
    assert "official list" in str(caught.value)


def test_lfws_own_list_is_not_fglfws():
    with pytest.raises(DatasetError, match="line 2: 'Abel_Pacheco' is no file name"):
        fglfw.parse("10\t300\nAbel_Pacheco\t1\t4\n", "pairs.txt")


def test_the_list_is_taken_whole_or_not_at_all(tmp_path, monkeypatch):
    from facelab.cli import app

    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))
    source = tmp_path / "list.txt"
    source.write_text(lines(lambda rows: rows[:-1]))
    call = ["data", "get", "fglfw", "--from", str(source)]
    refused = CliRunner().invoke(app, call)
    assert refused.exit_code == 2
    assert "5,999" in refused.stderr
    with pytest.raises(DatasetError, match=r"is missing\. `facelab data get fglfw --from FILE`"):
        datasets.lfw_pairs("fglfw")
    assert "missing" in {row.name: row.state for row in datasets.status()}["pairs, fglfw"]

    source.write_text(text())
    taken = CliRunner().invoke(app, call)
    assert taken.exit_code == 0, taken.output
    assert len(datasets.lfw_pairs("fglfw")) == 6000
    assert {row.name: row.state for row in datasets.status()}["pairs, fglfw"] == "ok"

    source.write_text("nonsense")
    assert CliRunner().invoke(app, call).exit_code == 2
    assert len(datasets.lfw_pairs("fglfw")) == 6000, "the good one stays"
    kept = tmp_path / "home" / "lfw" / "fglfw.txt"
    kept.write_text("damaged")
    assert "line 1" in {row.name: row.state for row in datasets.status()}["pairs, fglfw"]


def test_what_is_no_list_at_all(tmp_path, monkeypatch):
    with pytest.raises(DatasetError, match="nowhere cannot be read"):
        datasets.get_fglfw(tmp_path / "nowhere", home=tmp_path)
    (tmp_path / "large").write_bytes(b"x" * (fglfw.MOST_BYTES + 1))
    with pytest.raises(DatasetError, match="larger than any list"):
        datasets.get_fglfw(tmp_path / "large", home=tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\x00\x93")
    with pytest.raises(DatasetError, match=r"line 1: .* is no file name"):
        datasets.get_fglfw(tmp_path / "bytes", home=tmp_path)


@pytest.mark.parametrize("word", ["x", "x/", "x_0001."])
def test_a_word_as_long_as_a_list_is_refused_at_once(word):
    """Its time must not grow with the square of its length: these would take days."""
    with pytest.raises(DatasetError, match=r"line 1: .* is no file name"):
        fglfw.parse(word * (fglfw.MOST_BYTES // len(word)), "list.txt")


def test_without_a_file_it_says_where_the_list_comes_from():
    from facelab.cli import app

    refused = CliRunner().invoke(app, ["data", "get", "fglfw"])
    assert refused.exit_code == 2
    assert "Deng et al." in refused.stderr
    assert "--from FILE" in refused.stderr
