"""Build, execute and store the course's notebooks.

    python tools/notebooks.py            every lesson
    python tools/notebooks.py 05 06      these two
    python tools/notebooks.py --check    say which stored notebook is out of step; runs nothing
    python tools/notebooks.py --lang ko  into notebooks/ko/, in Korean (tools/translations.py); not in git

One source per lesson, `notebooks/lessons/NN_name.py` (jupytext's percent format), gives two editions:
`notebooks/NN_name.ipynb` for students and `notebooks/solutions/NN_name.ipynb`, solved. Tags on code cells:

    # %% tags=["exercise"]   starter code: in the student edition only. It must run as it is.
    # %% tags=["solution"]   in the solved edition; the student edition shows it folded, after the next check
    # %% tags=["check"]      `exercises.check(...)`: in both
    # %% tags=["nbval-check-output"]   the tests compare what this cell prints with what is stored
    # %% [markdown] tags=["answer"]    what explains the outcome of a prediction: folded for students
    # %% tags=["walk"]                 part of the walk of 45 minutes, and a slide; markdown cells too

An exercise is the first three in that order. Cells after it must not lean on the student's answer.

A **Predict** must not be spoiled: in the student edition the code cells between it and the next markdown cell
are stored without outputs, and the answer is folded. The solved edition keeps both.

Stored outputs are made to read well where nothing runs: a live widget is stored as its picture with a line on
how to bring it to life, and a large picture as JPEG. Cell ids depend on the text alone and no times are
stored, so building twice gives the same file.
"""

import argparse
import base64
import hashlib
import io
import os
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
LESSONS = NOTEBOOKS / "lessons"
EDITIONS = {"student": NOTEBOOKS, "solved": NOTEBOOKS / "solutions"}
TAGS = {"exercise", "solution", "check", "nbval-check-output", "nbval-skip", "answer", "walk"}
WALK = "▸"
WIDGET = "application/vnd.jupyter.widget-view+json"
CELL_TIMEOUT = 180  # seconds
LARGE_PICTURE = 60_000  # bytes of PNG above which JPEG is tried


class LessonError(Exception):
    """A lesson's source breaks the rules above, or its notebook does not run."""


# ---- from the source to the cells of an edition ----------------------------------------------------------


def sources(numbers: list[str] | None = None) -> list[Path]:
    """The lessons' sources in order; `numbers` ("05") keeps only those."""
    found = sorted(LESSONS.glob("[0-9][0-9]_*.py"))
    if not numbers:
        return found
    unknown = set(numbers) - {path.name[:2] for path in found}
    if unknown:
        raise LessonError(f"no lesson {', '.join(sorted(unknown))} in notebooks/lessons/")
    return [path for path in found if path.name[:2] in numbers]


def stored_path(source: Path, edition: str, language: str = "en") -> Path:
    name = EDITIONS[edition] / f"{source.stem}.ipynb"
    return name if language == "en" else NOTEBOOKS / language / name.relative_to(NOTEBOOKS)


def folded(code: str) -> str:
    """Markdown that shows a solution only to those who open it."""
    return f"<details>\n<summary>Solution (try first)</summary>\n\n```python\n{code}\n```\n\n</details>"


def answer(text: str) -> str:
    """Markdown that shows what came out only to those who open it."""
    return (
        f"<details>\n<summary>What came out, and why (run the cell first)</summary>\n\n{text}\n\n</details>"
    )


def marked(text: str) -> str:
    """A walk's cell as the table of contents shows it: its headings bear a sign, or its first line does."""
    if re.search(r"^#+ ", text, re.M):
        return re.sub(r"^(##+) ", rf"\1 {WALK} ", text, flags=re.M)
    return text if text.startswith(("<", "|", "- ", "$")) else f"{WALK} {text}"


def slide(cell, previous: str) -> str:
    """What the cell is in a slide show: "skip" outside the walk; text begins a slide."""
    if "walk" not in cell.metadata.get("tags", []):
        return "skip"
    if cell.cell_type == "code":
        return "-" if previous == "code" else "fragment"
    return "fragment" if "answer" in cell.metadata["tags"] else "slide"


def edition_cells(text: str, edition: str) -> list:
    """The cells of one edition, without outputs, from the text of a lesson's source."""
    cells, solution, predicting = [], None, False
    for cell in jupytext.reads(text, fmt="py:percent").cells:
        tags = list(cell.metadata.get("tags", []))
        if unknown := set(tags) - TAGS:
            raise LessonError(f"unknown tag {sorted(unknown)} on the cell that begins {cell.source[:40]!r}")
        if cell.cell_type == "markdown":
            predicting = "**Predict" in cell.source and "answer" not in tags
            source = marked(cell.source) if "walk" in tags and "answer" not in tags else cell.source
            if "answer" in tags and edition == "student":
                source = answer(source)
            cells.append(new_markdown_cell(source, metadata={"tags": tags} if tags else {}))
            continue
        if "solution" in tags and edition == "student":
            solution = cell.source
            continue
        if "exercise" in tags and edition == "solved":
            continue
        if predicting and edition == "student" and not {"exercise", "check"} & set(tags):
            tags = [tag for tag in tags if tag != "nbval-check-output"] + ["predict"]
        cells.append(new_code_cell(cell.source, metadata={"tags": tags} if tags else {}))
        if "check" in tags and solution is not None:
            cells.append(new_markdown_cell(folded(solution)))
            solution = None
    if solution is not None:
        raise LessonError(f"no check cell follows the solution that begins {solution[:40]!r}")
    seen: dict[str, int] = {}
    previous = ""
    for cell in cells:
        kind = slide(cell, previous)
        cell.metadata["slideshow"] = {"slide_type": kind}
        previous = cell.cell_type if kind != "skip" else previous
        again = seen[cell.source] = seen.get(cell.source, 0) + 1
        cell["id"] = hashlib.sha256(f"{cell.cell_type}:{cell.source}:{again}".encode()).hexdigest()[:12]
    return cells


def build(source: Path, edition: str):
    """One edition as a notebook without outputs."""
    text = source.read_text(encoding="utf-8")
    return new_notebook(
        cells=edition_cells(text, edition),
        metadata={
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
            "facelab": {
                "lesson": source.stem,
                "edition": edition,
                "source_sha256": hashlib.sha256(text.encode()).hexdigest(),
            },
        },
    )


# ---- executing, and what is kept of the outputs -------------------------------------------------------


def execute(notebook, folder: Path) -> None:
    """Run every cell in a fresh kernel, in the folder where the notebook will lie."""
    # One thread: the same digits on any number of cores, and no quarrel over them with whatever else runs.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["FACELAB_COURSE"] = "off"  # what is stored must not depend on what the builder has solved
    os.environ.pop("FACELAB_CLASS", None)
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError) as error:
        raise LessonError(re.sub(r"\x1b\[[0-9;]*m", "", str(error))) from error  # without terminal colours


def still(output) -> list:
    """A live widget's output as what a page without a kernel can show: a line of text and the picture."""
    picture = output.data.get("image/png")
    if picture is None:
        raise LessonError(
            f"a widget without a picture to store ({output.data.get('text/plain', '')[:60]}…): "
            "derive it from facelab.course.widgets.base.LiveWidget, or mix in StillPicture"
        )
    caption = output.data["text/plain"]
    return [
        new_output("display_data", data={"text/markdown": caption, "text/plain": caption}),
        new_output("display_data", data={"image/png": picture, "text/plain": caption}),
    ]


def lighter(output):
    """A large PNG becomes a JPEG where that more than halves it: photographs do, line drawings do not."""
    from PIL import Image

    encoded = output.get("data", {}).get("image/png")
    if encoded is None or len(encoded) < LARGE_PICTURE:
        return output
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "JPEG", quality=88, subsampling=0, optimize=True)
    if buffer.tell() * 4 / 3 < len(encoded) / 2:
        del output.data["image/png"]
        output.data["image/jpeg"] = base64.b64encode(buffer.getvalue()).decode()
    return output


def tidy(notebook) -> None:
    """Leave in the outputs only what a reader needs and what the next build would store again."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        outputs = []
        for output in cell.outputs:
            if WIDGET in output.get("data", {}):
                outputs += still(output)
            else:
                outputs.append(output)
        for output in outputs:
            output.pop("transient", None)
            plain = output.get("data", {}).get("text/plain")
            if plain is not None:
                output.data["text/plain"] = re.sub(r" at 0x[0-9a-f]+", "", plain)
        cell.outputs = [lighter(output) for output in outputs]
        if "predict" in cell.metadata.get("tags", []):
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)


def output_text(output) -> str:
    """All text of one output, pictures left out."""
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return "\n".join(str(value) for kind, value in output.data.items() if not kind.startswith("image/"))


def machine_paths() -> list[str]:
    """Paths that tell on the machine a notebook was built on."""
    return sorted({str(ROOT), str(Path.home() / "x")[:-1], sys.prefix, "/tmp/", "/site-packages/"})


def problems(notebook) -> list[str]:
    """What is wrong with the outputs of an executed notebook; nothing, if all is well."""
    found, expected = [], 1
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        begins = repr(cell.source.splitlines()[0][:50]) if cell.source else "an empty cell"
        hidden = "predict" in cell.metadata.get("tags", []) and cell.execution_count is None
        if cell.execution_count != expected and not hidden:
            found.append(f"cell {expected} was not executed in order: {begins}")
        expected += 1
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"an error is stored: {begins}: {output.ename}: {output.evalue}")
                continue
            text = output_text(output)
            if output.output_type == "stream" and output.name == "stderr":
                found.append(f"a warning is stored: {begins}: {text.strip()[:200]}")
            found += [
                f"a path of this machine is stored: {begins}" for path in machine_paths() if path in text
            ]
            if WIDGET in output.get("data", {}):
                found.append(f"a live widget is stored without its picture: {begins}")
    return found


# ---- the two commands -----------------------------------------------------------------------------------


def write(source: Path, edition: str, language: str = "en") -> Path:
    """Build, execute, check and store one edition."""
    notebook, path = build(source, edition), stored_path(source, edition, language)
    if language != "en":
        import translations

        translations.localise(notebook, source.stem, language)
    path.parent.mkdir(parents=True, exist_ok=True)
    execute(notebook, path.parent)
    tidy(notebook)
    if found := problems(notebook):
        raise LessonError("\n".join(found))
    nbformat.validate(notebook)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path


def out_of_step(source: Path, edition: str) -> str | None:
    """Why the stored notebook is not what its source would give today; None if it is. Runs nothing."""
    path = stored_path(source, edition)
    name = path.relative_to(ROOT)
    if not path.exists():
        return f"{name} is missing"
    stored, fresh = nbformat.read(path, as_version=4), build(source, edition)
    for number, (old, new) in enumerate(zip(stored.cells, fresh.cells, strict=False), start=1):
        same = (old.cell_type, old.source, old.id) == (new.cell_type, new.source, new.id)
        if not same or any(old.metadata.get(k) != new.metadata.get(k) for k in ("tags", "slideshow")):
            return f"{name}: cell {number} differs from {source.name}"
    if len(stored.cells) != len(fresh.cells):
        return f"{name}: {len(stored.cells)} cells stored, {len(fresh.cells)} in {source.name}"
    if stored.metadata.get("facelab") != fresh.metadata["facelab"]:
        return f"{name}: {source.name} has changed since it was built"
    return None


def orphans() -> list[str]:
    """Stored notebooks that no lesson gives any more."""
    wanted = {stored_path(source, edition) for source in sources() for edition in EDITIONS}
    stored = [path for folder in EDITIONS.values() for path in sorted(folder.glob("*.ipynb"))]
    return [f"{path.relative_to(ROOT)} has no source" for path in stored if path not in wanted]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", metavar="NN", help="two digits; all lessons if none is given")
    parser.add_argument("--lang", choices=("en", "ko", "ja"), default="en", help="the language")
    parser.add_argument("--check", action="store_true", help="run nothing, say what is out of step")
    options = parser.parse_args()
    failed = False
    try:
        chosen = sources(options.lessons)
        for source in chosen:
            for edition in EDITIONS:
                if options.check:
                    found = out_of_step(source, edition)
                    failed |= found is not None
                    print(found or f"{stored_path(source, edition).relative_to(ROOT)} is in step")
                    continue
                try:
                    path = write(source, edition, options.lang)
                    print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1e6:.2f} MB")
                except LessonError as error:
                    failed = True
                    print(f"{source.name}, {edition} edition:\n{error}", file=sys.stderr)
        if options.check and not options.lessons:
            for line in orphans():
                failed = True
                print(line)
    except LessonError as error:
        print(error, file=sys.stderr)
        return 2
    if options.check and failed:
        print("Build again: make notebooks")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
