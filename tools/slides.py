"""The walk of each lesson as slides (reveal.js): `python tools/slides.py`, or `make slides`.

    python tools/slides.py 05 06          these two
    python tools/slides.py --into FOLDER  elsewhere than slides/

A page a lesson, from its solved notebook: the cells tagged `walk`, widgets as their still pictures, in large
type. Everything lies in the folder; it opens from the disk, without a network. (Live, with
widgets that move: the slides' button in JupyterLab's toolbar.)
"""

import argparse
import html
import importlib.util
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert.filters import Highlight2HTML, markdown2html

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import notebooks as tool  # noqa: E402

PARTS = ("dist/reveal.js", "dist/reveal.css", "dist/reset.css", "LICENSE")

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="stylesheet" href="reveal.js/dist/reset.css">
<link rel="stylesheet" href="reveal.js/dist/reveal.css">
<link rel="stylesheet" href="slides.css">
</head>
<body>
<div class="reveal"><div class="slides">
{sections}
</div></div>
<script src="reveal.js/dist/reveal.js"></script>
<script>Reveal.initialize({{hash: true, width: 1280, height: 720, margin: 0.03, center: false,
    slideNumber: "c/t", scrollActivationWidth: null}});</script>
</body>
</html>
"""

STYLE = """
body { background: white; }
.reveal { font-family: system-ui, "Noto Sans", "Noto Sans CJK KR", sans-serif; font-size: 26px; color: #111; }
.reveal .slides { text-align: left; }
.reveal .slides section { height: 700px; overflow-y: auto; }
.reveal h1, .reveal h2, .reveal h3 { font-family: inherit; text-transform: none; letter-spacing: 0;
  line-height: 1.2; }
.reveal h1 { font-size: 46px; } .reveal h2 { font-size: 38px; } .reveal h3 { font-size: 30px; }
.reveal p, .reveal li { line-height: 1.4; margin: 0.5em 0; }
.reveal ul, .reveal ol { margin-left: 1.2em; }
.reveal a { color: #0072b2; }
.reveal pre { width: 100%; font-size: 19px; line-height: 1.35; box-shadow: none; margin: 10px 0; }
.reveal pre.output { color: #111; font-size: 20px; }
.reveal img { max-height: 560px; max-width: 100%; margin: 6px 0; }
.reveal table { font-size: 20px; margin: 8px 0; }
.reveal .anchor-link { display: none; }
.highlight { background: #f5f5f5; padding: 4px 12px; border-left: 5px solid #0072b2; }
"""


def maths(text: str) -> tuple[str, list[str]]:
    """Formulas of a markdown text as MathML, which browsers draw: the text with places for them."""
    from latex2mathml.converter import convert

    found: list[str] = []

    def keep(match: re.Match) -> str:
        block = match[1] is not None
        found.append(convert(match[1] if block else match[2], display="block" if block else "inline"))
        return f"FORMULA{len(found) - 1}ALUMROF"

    return re.sub(r"\$\$(.+?)\$\$|(?<![\\$`])\$([^$`\n]+?(?:\n[^$`\n]+?)?)\$", keep, text, flags=re.S), found


def prose(text: str) -> str:
    """A markdown cell as HTML."""
    text, formulas = maths(text)
    shown = markdown2html(text)
    return re.sub(r"FORMULA(\d+)ALUMROF", lambda match: formulas[int(match[1])], shown)


def output(one) -> str:
    """An output as HTML: the richest kind that needs no program."""
    if one.output_type == "stream":
        return f"<pre class='output'>{html.escape(one.text)}</pre>"
    data = one.get("data", {})
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            words = html.escape(data.get("text/plain", "a figure"), quote=True)
            return f"<img alt='{words}' src='data:{kind};base64,{data[kind].strip()}'>"
    if "text/html" in data:
        return data["text/html"]
    if "text/markdown" in data:
        return ""  # the line on how to bring a widget to life
    return f"<pre class='output'>{html.escape(data.get('text/plain', ''))}</pre>"


def sections(notebook) -> list[str]:
    """A slide for each cell that begins one, what follows in it, and what comes on a key press."""
    code, slides = Highlight2HTML(), []
    for cell in notebook.cells:
        kind = cell.metadata.slideshow.slide_type
        if kind == "skip":
            continue
        if cell.cell_type == "markdown":
            shown = prose(cell.source)
        else:
            shown = code(cell.source, language="python") + "".join(map(output, cell.outputs))
        drawn = cell.cell_type == "code" and any("<img" in output(one) for one in cell.outputs)
        if kind == "slide" or drawn:  # a figure has a slide to itself
            slides.append([])
            kind = "slide"
        slides[-1].append(f"<div class='fragment'>{shown}</div>" if kind == "fragment" else shown)
    return ["<section>\n" + "\n".join(slide) + "\n</section>" for slide in slides]


def reveal() -> Path:
    """reveal.js as it lies in an installed package."""
    spec = importlib.util.find_spec("sphinx_revealjs")
    if spec is None or spec.origin is None:
        sys.exit(
            "The slides need reveal.js, which the package sphinx-revealjs carries: make slides installs it."
        )
    return Path(spec.origin).parent / "_static" / "revealjs"


def write(numbers: list[str], into: Path) -> list[Path]:
    """The decks of these lessons (all if none is named), and a list of them."""
    into.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        (into / "reveal.js" / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(reveal() / part, into / "reveal.js" / part)
    from pygments.formatters import HtmlFormatter

    (into / "slides.css").write_text(STYLE + HtmlFormatter().get_style_defs(".highlight"), encoding="utf-8")
    written, lines = [], []
    for source in tool.sources(numbers):
        notebook = nbformat.read(tool.stored_path(source, "solved"), as_version=4)
        title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
        path = into / f"{source.stem}.html"
        page = PAGE.format(title=html.escape(title), sections="\n".join(sections(notebook)))
        path.write_text(page, encoding="utf-8")
        written.append(path)
        lines.append(f"<li><a href='{path.name}'>{html.escape(title)}</a></li>")
    contents = f"<section><h1>facelab</h1><ul>{''.join(lines)}</ul></section>"
    index = into / "index.html"
    index.write_text(PAGE.format(title="facelab: slides", sections=contents), encoding="utf-8")
    return [*written, index]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", metavar="NN", help="two digits; all lessons if none is given")
    parser.add_argument("--into", type=Path, default=ROOT / "slides")
    asked = parser.parse_args()
    try:
        for path in write(asked.lessons, asked.into):
            print(path)
    except tool.LessonError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
