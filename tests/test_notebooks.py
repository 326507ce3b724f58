"""The stored notebooks are what their sources give, and each has the shape that every lesson promises."""

import re
import statistics
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import notebooks as tool  # noqa: E402

SOURCES = tool.sources()
STORED = [(source, edition) for source in SOURCES for edition in tool.EDITIONS]
IDS = [f"{source.stem}-{edition}" for source, edition in STORED]


@pytest.fixture(params=STORED, ids=IDS)
def stored(request):
    source, edition = request.param
    path = tool.stored_path(source, edition)
    assert path.exists(), f"{path.name} is missing: run `make notebooks`"
    return nbformat.read(path, as_version=4)


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook, tag: str) -> list:
    return [cell for cell in code_cells(notebook) if tag in cell.metadata.get("tags", [])]


def shown(cell) -> str:
    return "\n".join(tool.output_text(output) for output in cell.outputs)


# ---- every stored notebook -------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "edition"), STORED, ids=IDS)
def test_in_step_with_its_source(source, edition):
    assert tool.out_of_step(source, edition) is None


def test_no_notebook_without_a_source():
    assert tool.orphans() == []


def test_executed_in_order_without_errors_warnings_or_machine_paths(stored):
    nbformat.validate(stored)
    assert tool.problems(stored) == []


def test_opens_with_goals_prerequisites_and_minutes(stored):
    assert stored.cells[0].cell_type == "markdown"
    assert stored.cells[0].source.startswith("# ")
    opening = "\n".join(cell.source for cell in stored.cells[:3])  # 00 begins with a face and a slider
    for word in ("Goals", "Prerequisites", "Minutes"):
        assert f"**{word}" in opening, f"the opening lacks **{word}**"
    assert "▸), 45" in opening or "walk (▸) 45" in opening


def test_ends_with_what_to_remember_and_sources(stored):
    tail = "\n".join(cell.source for cell in stored.cells[-4:] if cell.cell_type == "markdown")
    assert re.search(r"^## What to remember", tail, re.M)
    assert re.search(r"^##+ Sources", tail, re.M)
    assert stored.cells[-1].cell_type == "markdown"


def test_cells_are_short(stored):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(stored)]
    assert statistics.median(lengths) <= 6, lengths


def test_three_exercises_with_checks_and_hints(stored):
    from facelab.course.exercises import core

    checks = tagged(stored, "check")
    asked = re.findall(r'exercises\.check\(\s*"([\d.]+)"', "\n".join(cell.source for cell in checks))
    assert len(set(asked)) >= 3
    assert all(core.load(id).hints for id in asked)
    student = stored.metadata["facelab"]["edition"] == "student"
    for cell in checks:
        assert ("Not answered yet" if student else "✓ Right") in shown(cell), shown(cell)


def test_a_prediction_is_not_spoiled_in_one_edition_and_answered_in_the_other(stored):
    student = stored.metadata["facelab"]["edition"] == "student"
    asked = [cell for cell in stored.cells if "**Predict" in cell.source]
    answers = [cell for cell in stored.cells if "answer" in cell.metadata.get("tags", [])]
    assert len(asked) >= 3
    assert len(answers) >= 3
    assert all(cell.source.startswith("<details>\n") == student for cell in answers)
    hidden = tagged(stored, "predict")
    assert (len(hidden) >= 3) == student
    assert not any(cell.outputs for cell in hidden)
    assert not any({"check", "exercise", "nbval-check-output"} & set(cell.metadata.tags) for cell in hidden)


def test_a_walk_of_a_dozen_cells_and_slides_of_nothing_else(stored):
    walk = [cell for cell in stored.cells if "walk" in cell.metadata.get("tags", [])]
    assert 12 <= len(walk) <= 17
    assert sum(cell.cell_type == "code" for cell in walk) >= 4
    shown = [cell for cell in stored.cells if cell.metadata.slideshow.slide_type != "skip"]
    assert [cell.id for cell in shown] == [cell.id for cell in walk]
    assert shown[0] is stored.cells[0]
    marks = sum(bool(re.match(r"(#+ )?▸ ", cell.source)) for cell in walk)
    assert marks >= 3, "the table of contents shows the walk"


def test_solutions_are_folded_in_one_edition_and_run_in_the_other(stored):
    student = stored.metadata["facelab"]["edition"] == "student"
    folded = [cell for cell in stored.cells if "Solution (try first)" in cell.source]
    assert len(folded) == (len(tagged(stored, "check")) if student else 0)
    assert not tagged(stored, "solution" if student else "exercise")


def test_small_enough_for_a_repository(stored):
    assert len(nbformat.writes(stored)) < 4_000_000


# ---- the tool itself ---------------------------------------------------------------------------------------

LESSON = """\
# %% [markdown]
# # A lesson

# %%
x = 1

# %% tags=["exercise"]
y = ...

# %% tags=["solution"]
y = x + 1

# %% tags=["check"]
check(y)
"""


def kinds(edition: str) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in tool.edition_cells(LESSON, edition)]


def test_student_edition_folds_the_solution_after_the_check():
    cells = kinds("student")
    assert [source for _, source in cells[1:4]] == ["x = 1", "y = ...", "check(y)"]
    kind, text = cells[4]
    assert kind == "markdown"
    assert text.startswith("<details>\n<summary>Solution (try first)</summary>")
    assert "```python\ny = x + 1\n```" in text
    assert len(cells) == 5


def test_solved_edition_runs_the_solution_in_place_of_the_starter():
    assert [source for _, source in kinds("solved")] == ["# A lesson", "x = 1", "y = x + 1", "check(y)"]


def test_ids_do_not_move_when_a_cell_is_added_before():
    before = {cell.source: cell.id for cell in tool.edition_cells(LESSON, "solved")}
    after = {cell.source: cell.id for cell in tool.edition_cells("# %%\nnew = 0\n\n" + LESSON, "solved")}
    assert before.items() <= after.items()
    twice = tool.edition_cells("# %%\nx = 1\n\n# %%\nx = 1\n", "solved")
    assert twice[0].id != twice[1].id


PREDICTION = """\
# %% [markdown] tags=["walk"]
# ## Pixels
#
# **Predict.** More or less?

# %% tags=["nbval-check-output"]
print("more")

# %% tags=["walk"]
show()

# %% [markdown] tags=["answer", "walk"]
# More: $x^2$.

# %%
print("seen")
"""


def test_students_see_neither_what_came_out_nor_why():
    question, first, second, why, after = tool.edition_cells(PREDICTION, "student")
    assert question.source.startswith("## ▸ Pixels")
    assert first.metadata.tags == ["predict"]
    assert second.metadata.tags == ["walk", "predict"]
    assert why.source.startswith("<details>\n<summary>What came out")
    assert "\n\nMore: $x^2$.\n\n</details>" in why.source, "a blank line, or markdown inside is not rendered"
    assert "tags" not in after.metadata
    notebook = new_notebook(cells=[question, first, second, why, after])
    for count, cell in enumerate((first, second, after), 1):
        cell.outputs = [new_output("stream", name="stdout", text="more")]
        cell.execution_count = count
    tool.tidy(notebook)
    assert [len(cell.outputs) for cell in (first, second, after)] == [0, 0, 1]
    assert tool.problems(notebook) == []
    solved = tool.edition_cells(PREDICTION, "solved")
    assert solved[3].source == "More: $x^2$."
    assert solved[1].metadata.tags == ["nbval-check-output"]
    kinds = [cell.metadata.slideshow.slide_type for cell in solved]
    assert kinds == ["slide", "skip", "fragment", "fragment", "skip"]


def test_a_solution_without_a_check_and_an_unknown_tag_are_refused():
    with pytest.raises(tool.LessonError, match="no check cell follows"):
        tool.edition_cells(LESSON.split('# %% tags=["check"]')[0], "student")
    with pytest.raises(tool.LessonError, match="unknown tag"):
        tool.edition_cells('# %% tags=["chek"]\nx = 1\n', "student")


def executed(outputs: list, count: int = 1):
    return new_notebook(cells=[new_code_cell("x", outputs=outputs, execution_count=count)])


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ([new_output("error", ename="ValueError", evalue="no", traceback=[])], "an error is stored"),
        ([new_output("stream", name="stderr", text="FutureWarning: …")], "a warning is stored"),
        ([new_output("stream", name="stdout", text=f"read {ROOT / 'data'}")], "a path of this machine"),
        ([new_output("display_data", data={tool.WIDGET: {"model_id": "1"}})], "without its picture"),
    ],
)
def test_problems_are_found(outputs, says):
    assert any(says in line for line in tool.problems(executed(outputs)))


def test_cells_out_of_order_are_found():
    assert "not executed in order" in tool.problems(executed([], count=2))[0]
    assert tool.problems(executed([])) == []


def test_a_live_widget_is_stored_as_its_picture():
    widget = {tool.WIDGET: {"model_id": "1"}, "text/plain": "*Tilt: live …*", "image/png": "iVBORw0KGgo="}
    notebook = executed([new_output("display_data", data=widget)])
    tool.tidy(notebook)
    words, picture = notebook.cells[0].outputs
    assert words.data["text/markdown"] == "*Tilt: live …*"
    assert picture.data["image/png"] == "iVBORw0KGgo="
    assert not any(tool.WIDGET in output.data for output in notebook.cells[0].outputs)


def test_a_widget_without_a_picture_is_refused():
    notebook = executed(
        [new_output("display_data", data={tool.WIDGET: {"model_id": "1"}, "text/plain": "VBox()"})]
    )
    with pytest.raises(tool.LessonError, match="StillPicture"):
        tool.tidy(notebook)
