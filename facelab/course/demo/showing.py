"""A page of the demos, in the notebook that calls it."""

import html
from pathlib import Path

from facelab.course.demo.pages import PAGES
from facelab.course.language import translated

STYLE = f"<style>{Path(__file__).with_name('style.css').read_text('utf-8')}</style>"


def show(number: str) -> None:
    """A lesson's page, in the notebook that calls it. What fails says so in its place, and the rest goes
    on."""
    import ipywidgets as widgets
    from IPython.display import display

    from facelab.course import plots
    from facelab.course.widgets.base import alert

    plots.use_style()
    page = PAGES[number]
    numbers = list(PAGES)
    at = numbers.index(number)
    links = [(translated("All lessons"), "index")]
    links += [(f"← {n}", n) for n in numbers[max(0, at - 1) : at]]
    links += [(f"{n} →", n) for n in numbers[at + 1 : at + 2]]
    way = " &nbsp; ".join(f"<a href='{_address(name)}'>{words}</a>" for words, name in links)
    display(
        widgets.HTML(f"{STYLE}<div class='demo'>{way}<h1>{html.escape(translated(page.question))}</h1></div>")
    )
    for demo in page.demos:
        display(widgets.HTML(f"<div class='demo'><h2>{html.escape(translated(demo.ask))}</h2></div>"))
        try:
            display(demo.make())
        except Exception as error:
            display(widgets.HTML(alert(error)))


def contents() -> None:
    """The first page: a link to each lesson."""
    import ipywidgets as widgets
    from IPython.display import display

    lines = "".join(
        f"<p><a href='{_address(number)}'>{number} · {html.escape(translated(page.question))}</a></p>"
        for number, page in PAGES.items()
    )
    title = translated("How does a computer know a face?")
    head = f"<h1>{title}</h1><p>{translated('Everything runs on this machine; nothing is kept.')}</p>"
    display(widgets.HTML(f"{STYLE}<div class='demo'>{head}{lines}</div>"))


def _address(name: str) -> str:
    return f"{name}.ipynb"
