"""Three people and one threshold: the counts are true, the people can be chosen, mistakes are said."""

import io

import numpy as np
import pytest
from PIL import Image

import facelab as fl
from facelab.course import lesson07
from facelab.course.lesson07 import Study
from facelab.course.widgets.celebrities import Celebrities, combo, density, drawable
from facelab.errors import DatasetError

PEOPLE = ("George_W_Bush", "Jeb_Bush", "Mahmoud_Abbas")


@pytest.fixture(scope="module")
def lfw_study() -> Study:
    return lesson07.of_templates(fl.datasets.lfw_templates())


@pytest.fixture(scope="module")
def once(lfw_study):
    return Celebrities(lfw_study, PEOPLE, threshold=0.605)


@pytest.fixture
def widget(once):
    yield once
    once.reset()
    assert once.error is None
    assert once.alert.value == ""


def small(names, photos: int = 3) -> Study:
    """A study of people who are nowhere near each other."""
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(len(names)), photos)
    vectors = lesson07.unit(np.eye(16)[person] + 0.1 * random.normal(size=(len(person), 16)))
    number = np.tile(np.arange(1, photos + 1), len(names))
    return Study(tuple(names), vectors.astype(np.float32), person, number, "test")


def counted(of: Study, people, threshold: float, leave_one_out: bool = True) -> list[list[int]]:
    """The table again, by loops."""
    rows = []
    for name in people:
        near = of.distances(leave_one_out)[of.place(name)] <= threshold
        who = [of.person == of.place(other) for other in people]
        rows.append([int(near[own].sum()) for own in (*who, ~np.any(who, axis=0))])
    return rows


def shown(widget: Celebrities) -> list[list[str]]:
    return [[cell.get_text() for cell in cells] for cells in widget.cells]


@pytest.mark.parametrize("threshold", [0.3, 0.605, 1.1])
def test_the_counts_are_those_of_a_loop(widget, lfw_study, threshold):
    widget.threshold.value = threshold
    wanted = counted(lfw_study, PEOPLE, threshold)
    assert widget.accepted.tolist() == wanted
    assert shown(widget) == [[f"{count:,}" for count in row] for row in wanted]
    assert widget.totals.tolist() == [[530, 12, 29, 13_233 - 571]] * 3


def test_histogram_curve_and_counts_move_together(widget):
    picture = widget.screen.value
    widget.threshold.value = 0.5
    assert widget.screen.value != picture
    assert [line.get_xdata() for line in widget.lines] == [[0.5, 0.5]] * 3
    own = np.diag(widget.accepted[:, :3]) / np.diag(widget.totals[:, :3])
    others = widget.accepted.sum(axis=1) - np.diag(widget.accepted[:, :3])
    tries = widget.totals.sum(axis=1) - np.diag(widget.totals[:, :3])
    dots = [(float(dot.get_xdata()[0]), float(dot.get_ydata()[0])) for dot in widget.dots]
    assert [y for _, y in dots] == pytest.approx(own)
    assert [x for x, _ in dots] == pytest.approx(np.maximum(others / tries, widget.least))
    for dot, curve in zip(dots, widget.curves, strict=True):
        assert np.isclose(curve.get_xydata(), dot).all(axis=1).any(), "each dot lies on its curve"


def test_what_is_wrong_is_red_and_bold(widget):
    looks = [[(cell.get_color(), cell.get_fontweight()) for cell in cells] for cells in widget.cells]
    assert looks[0][0] == looks[0][2] == ("#000000", "normal")
    assert looks[0][1] == looks[2][2] == ("#D55E00", "bold"), "a brother let in; an own photo locked out"


def test_the_words_tell_who_opens_whose_phone(widget):
    said = widget.words()
    assert "At 0.605: 570 of 571 own photos open their owner's phone, 1 are locked out." in said
    assert "Jeb Bush's phone opens for 496 of 530 photos of George W Bush." in said
    widget.threshold.value = 0.2
    assert "'s phone opens for" not in widget.words()


def test_with_itself_own_photos_come_nearer(widget, lfw_study):
    widget.threshold.value = 0.15
    assert widget.accepted[1, 1] == 1, "Jeb Bush, twelve photos"
    widget.left_out.value = False
    assert widget.accepted.tolist() == counted(lfw_study, PEOPLE, 0.15, leave_one_out=False)
    assert widget.accepted[1, 1] == 9


def test_other_people_can_be_chosen_and_swapped(widget, lfw_study):
    picture = widget.screen.value
    widget.who[1].value = "Serena Williams"
    assert widget.screen.value != picture
    people = (PEOPLE[0], "Serena_Williams", PEOPLE[2])
    assert widget.accepted.tolist() == counted(lfw_study, people, 0.605)
    assert widget.totals[0].tolist()[1] == 52
    assert "B's phone: Serena Williams" in widget.heaps[1].get_title(loc="left")
    draws = widget.draws
    widget.who[0].value = "Serena Williams"
    assert [box.value for box in widget.who] == ["Serena Williams", "George W Bush", "Mahmoud Abbas"]
    assert widget.draws == draws + 1, "one picture for the two boxes"
    assert widget.error is None


def test_nobody_else_can_be_chosen(widget):
    picture = widget.screen.value
    widget.who[0].value = "Jeb Brush"
    assert "'Jeb Brush' is not among the 158 subjects" in str(widget.error)
    assert "did you mean Jeb_Bush" in widget.alert.value
    assert widget.screen.value == picture
    assert widget.who[0].ensure_option, "the browser does not even send it"
    assert len(widget.who[0].options) == 158


def test_one_person_twice_is_said_in_the_widget(widget):
    with widget.together():
        widget.who[0].value = widget.who[1].value
    assert "three different people" in str(widget.error)
    assert "three different people" in widget.alert.value


def test_an_own_study_with_names_in_any_script():
    own = Celebrities(small(["강형욱", "宇多田ヒカル", "Zoë"]), threshold=0.5)
    assert own.error is None
    assert own.accepted.tolist() == [[3, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0]]
    titles = [axes.get_title(loc="left") for axes in own.heaps]
    assert titles == ["A's phone", "B's phone", "C's phone: Zoë"], "no empty boxes for missing letters"
    assert "강형욱" in own.still_caption()
    assert (drawable("Zoë"), drawable("지수")) == (True, False)
    own.threshold.value = 1.1
    assert "강형욱's phone opens for" in own.words()


def test_names_that_would_look_alike_keep_their_underscores():
    assert Celebrities(small(["A_B", "A B", "C_D"])).labels == ["A_B", "A B", "C_D"]


def test_two_people_are_too_few_and_a_wrong_name_is_said():
    with pytest.raises(DatasetError, match="this study has 2: Ann, Bob"):
        Celebrities(small(["Ann", "Bob"]))
    with pytest.raises(DatasetError, match="'Eve' is not among"):
        Celebrities(small(["Ann", "Bob", "Cid"]), people=("Ann", "Bob", "Eve"))


def test_a_picture_is_stored(widget):
    size = Image.open(io.BytesIO(widget.still_png())).size
    assert size == (1100, 620)
    assert "A George W Bush" in widget.still_caption()


def test_density_has_area_one_or_is_empty():
    assert density(np.array([0.1, 0.2, 0.9])).sum() * 0.03 == pytest.approx(1)
    assert not density(np.array([])).any()
    assert combo("A", ["x"], "x").description == "A"
