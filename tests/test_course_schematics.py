"""Every diagram is drawn, with nothing outside of its own frame."""

import matplotlib.pyplot as plt
import pytest

from facelab.course import plots, schematics


@pytest.mark.parametrize("name", ["embedding_to_distance", "neck_and_head", "open_and_closed", "timeline"])
def test_all_words_lie_within_the_picture(name):
    with plt.rc_context(plots.style()):
        axes = getattr(schematics, name)()
        axes.figure.canvas.draw()
        frame = axes.figure.bbox
        for text in axes.texts:
            box = text.get_window_extent()
            if text.get_visible() and text.get_text():
                assert frame.x0 - 1 <= box.x0 <= box.x1 <= frame.x1 + 1, text.get_text()
                assert frame.y0 - 1 <= box.y0 <= box.y1 <= frame.y1 + 1, text.get_text()
    plt.close("all")


def test_the_timeline_runs_forward():
    years = [year for year, _, _ in schematics.LOSSES]
    assert years == sorted(years)
