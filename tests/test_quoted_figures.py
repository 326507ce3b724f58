"""Figures that lesson 08 quotes from elsewhere are the ones that stand there."""

import re
from pathlib import Path

import pytest

from facelab.course.lesson08 import PAPERS

ROOT = Path(__file__).resolve().parents[1]
LESSON = (ROOT / "notebooks" / "lessons" / "08_benchmarks_and_metrics.py").read_text("utf-8")


@pytest.mark.parametrize(
    ("crop", "row"),
    [
        ("five landmarks + mirror", "yunet+aligned+mirror"),
        ("five landmarks", "yunet+aligned"),
        ("square box", "yunet+square"),
        ("letterboxed box", "yunet+letterboxed"),
        ("stretched box", "yunet+stretched"),
    ],
)
def test_the_crops_are_as_measured(crop, row):
    results = (ROOT / "benchmarks" / "results" / "lfw.md").read_text("utf-8")
    measured = re.search(rf"^\| {re.escape(row)} +\| ([\d.]+) ±", results, re.M)[1]
    assert re.search(rf'"{re.escape(crop)}": ([\d.]+),', LESSON)[1] == measured


def test_the_papers_table_is_the_one_in_the_package():
    rows = dict(re.findall(r"^# \| (?:MS1MV2, R100, )?([\w+ ]+) \| [\d.]+M \| ([\d.]+) \|", LESSON, re.M))
    assert rows == {paper.method: f"{paper.LFW:.2f}" for paper in PAPERS}
