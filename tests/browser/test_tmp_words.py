import pytest
CELLS = {code: [f'from facelab.course import language\nlanguage.use("{code}")\nfrom facelab.course.widgets.triplet import Triplet\nTriplet()',
 'from facelab.datasets import lfw_templates\nfrom facelab.course.widgets.embedding_map import EmbeddingMap\nEmbeddingMap(lfw_templates())',
 'from facelab.course.widgets.mirror import Mirror\nfrom facelab.course.widgets.turn import Turn\nfrom IPython.display import display\ndisplay(Mirror(), Turn())',
 '''import tempfile
from pathlib import Path
import numpy as np
from PIL import Image
import facelab as fl
from facelab.album import Album
from facelab.course import drawn
from facelab.course.widgets.album import AlbumEditor
root = Path(tempfile.mkdtemp())
(root / "photos").mkdir()
who = np.repeat(np.arange(4), 5)
for number, image in enumerate(drawn.photos(drawn.identities(4, seed=3), who, seed=1)):
    Image.fromarray(image).resize((224, 224)).save(root / "photos" / f"{who[number]} {number}.png")
album = Album.make(root / "photos", root / "album", fl.Pipeline(device="cpu", min_score=0.6), 0.0)
(others,) = album.groups
for person in range(4):
    album.split("others", [row for row in others.rows if Path(album.photos[row]).name[0] == str(person)])
editor = AlbumEditor(album, root / "gallery.hdf")
editor.rename(album.groups[0].name, "Anna")
editor.suggest()
editor'''] for code in ("ko", "ja")}

@pytest.mark.parametrize("code", ["ko", "ja"])
def test_shots(lab, open_notebook, code):
    lab.store(f"words_{code}.ipynb", CELLS[code])
    book = open_notebook(f"words_{code}.ipynb", height=1100)
    book.run_all()
    page = book.page
    for name, sel in (("triplet", ".facelab-triplet"), ("map", ".facelab-map"), ("mirror", ".facelab-mirror"), ("album", ".facelab-album")):
        box = page.locator(sel).first
        box.wait_for()
        box.scroll_into_view_if_needed()
        page.wait_for_timeout(1500)
        if name == "album":
            box.locator("input[type=checkbox]").first.check()
        box.screenshot(path=f"/tmp/w/shots/{name}_{code}.png")
        print(name, repr(box.inner_text()))
        labels = box.evaluate("el => [...el.querySelectorAll('[aria-label],[title],[placeholder]')].slice(0,60).map(e => [e.getAttribute('aria-label'), e.title, e.placeholder].filter(Boolean).join(' | '))")
        print(sorted(set(labels))[:60])
