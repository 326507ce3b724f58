"""Figures that lessons 05 and 08 quote from elsewhere are the ones that stand there."""

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


# ---- lesson 05: retinaface-small, YuNet and MTCNN --------------------------------------------------------

LESSON_05 = " ".join(
    (ROOT / "notebooks" / "lessons" / "05_detect_crop_rotate.py").read_text("utf-8").replace("# ", "").split()
)
RETINAFACE = (ROOT / "benchmarks" / "results" / "retinaface.md").read_text("utf-8")


def column(first: str, detector: str, number: int) -> float:
    """The first figure in a column of a row that begins with `first` and the detector."""
    row = next(
        cells
        for line in RETINAFACE.splitlines()
        if [cell.strip() for cell in line.split("|")][1:3] == [first, detector]
        for cells in [[cell.strip() for cell in line.split("|")]]
    )
    return float(row[number].split()[0])


def test_the_pupil_and_its_teacher_are_as_measured():
    small, teacher = (round(column("16", name, 3)) for name in ("retinaface-small", "yunet"))
    assert f"{small} % of faces of 16 pixels, YuNet {teacher} %" in LESSON_05
    turns = {
        name: sorted(round(column(tilt, name, 5)) for tilt in ("-30", "30"))
        for name in ("yunet", "retinaface-small", "mtcnn")
    }
    low, high = turns["yunet"]
    assert f"{low} to {high}° in YuNet's answers" in LESSON_05
    low, high = turns["retinaface-small"]
    assert f"{low} to {high}° in the pupil's" in LESSON_05
    assert f"{turns['mtcnn'][0]}° in MTCNN's" in LESSON_05
    assert all(column(str(size), "yunet", 5) == 0 for size in (16, 24, 32, 48, 64, 128)), "it invents none"
