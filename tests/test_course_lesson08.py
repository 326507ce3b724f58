"""The papers' table: its figures, its intervals, and which differences chance explains."""

import numpy as np
import pytest
from scipy import stats

from facelab.course.lesson08 import PAIRS, PAPERS, differences, p_value, reported
from facelab.course.widgets.papers import Papers
from facelab.metrics import clopper_pearson, wilson


def test_the_table_is_the_slides():
    assert len(PAPERS) == 12
    assert [(p.method, p.LFW, p.YTF) for p in reported("LFW")[:2]] == [
        ("ArcFace", 99.83, 98.02),
        ("CosFace", 99.73, 97.6),
    ]
    assert len(reported("YTF")) == 10
    assert {p.method: p.wrong("LFW") for p in PAPERS}["ArcFace"] == 10


def test_p_values_are_those_of_fishers_exact_test_nearly():
    for a, b in ((10, 16), (10, 35), (22, 52), (100, 100), (0, 0)):
        exact = stats.fisher_exact([[a, 6000 - a], [b, 6000 - b]])[1]
        assert p_value(a, b, 6000) == pytest.approx(exact, abs=0.12)
        assert (p_value(a, b, 6000) < 0.05) == (exact < 0.05)
    assert p_value(10, 35, 6000) == p_value(35, 10, 6000)


def test_p_values_are_right_by_simulation():
    """Two equally good methods differ by as much as theirs about as often as p says."""
    rng = np.random.default_rng(0)
    a, b = rng.binomial(6000, 13 / 6000, (2, 20_000))
    often = (np.abs(a - b) >= 12).mean()
    assert p_value(7, 19, 6000) == pytest.approx(often, abs=0.01)


def test_differences_of_all_pairs_of_rows():
    found = differences("LFW")
    assert len(found) == 66
    assert found["ArcFace", "CosFace"] > 0.2
    assert found["ArcFace", "SphereFace"] < 0.001
    assert differences("LFW", 10)["ArcFace", "CosFace"] < 0.01
    assert sum(p < 0.05 for p in found.values()) == 39


def test_wilson_is_scipys():
    for count, total in ((0, 10), (10, 10), (3, 8), (5990, 6000)):
        exact = stats.binomtest(count, total).proportion_ci(method="wilson")
        assert wilson(count, total) == pytest.approx((exact.low, exact.high), abs=1e-12)
    wide, narrow = (
        np.subtract(*clopper_pearson([300, 3000], 6000)[::-1]),
        np.subtract(*wilson([300, 3000], 6000)[::-1]),
    )
    assert (narrow < wide).all()
    assert (narrow > 0.97 * wide).all()
    for bad in ((5, 4), (-1, 4), (0, 0)):
        with pytest.raises(ValueError, match="count"):
            wilson(*bad)
    with pytest.raises(ValueError, match="level=2"):
        wilson(1, 2, level=2)


def test_the_widget_counts_what_is_real():
    widget = Papers()
    assert widget.error is None
    assert widget.real == 39
    assert "Of 66 differences between two rows, 39 are larger" in widget.screen.words
    widget.strict.value = True
    assert widget.real < 39
    widget.strict.value = False
    widths = [np.ptp(widget.bars.get_segments()[0][:, 0])]
    widget.size.value = 9
    widths.append(np.ptp(widget.bars.get_segments()[0][:, 0]))
    assert widths[1] == pytest.approx(widths[0] / 3, rel=0.1)
    assert widget.real > 50
    widget.benchmark.value = "YTF"
    assert widget.error is None
    assert "45,000 pairs. Of 45 differences" in widget.screen.words
    assert PAIRS["YTF"] * 9 == 45_000
    assert len(widget.bars.get_segments()) == 10
