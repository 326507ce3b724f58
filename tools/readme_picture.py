"""Take the README's picture: `python tools/readme_picture.py`. JupyterLab in use, in a real Chromium.

Opens lesson 05, runs it, turns the portrait with the slider as a reader would, and photographs the window.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))
import conftest  # noqa: E402 - the browser tests know how to start and drive JupyterLab

NAME = "05_detect_crop_rotate.ipynb"
PICTURE = ROOT / "docs" / "notebook_05.png"


def main() -> None:
    path = conftest.find_chromium()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        folder = Path(home) / "notebooks"  # a copy: running it leaves the stored one alone
        folder.mkdir()
        shutil.copy(ROOT / "notebooks" / NAME, folder)
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        lab = conftest.Lab(folder, Path(home))
        try:
            page = chromium.new_page(viewport={"width": 1280, "height": 720}, device_scale_factor=1.25)
            notebook = conftest.Notebook(page, lab, NAME)
            page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
            notebook.run_all()
            widget = notebook.widget()
            for cut, turns in (("square", (-45, 75)), ("aligned (YuNet)", (-75, 75))):
                widget.box.locator("select").first.select_option(cut)
                widget.focus("tilt")
                for steps in turns:
                    widget.press("ArrowRight" if steps > 0 else "ArrowLeft", abs(steps))
            widget.box.scroll_into_view_if_needed()
            page.wait_for_timeout(1000)
            page.screenshot(path=str(PICTURE))
            print(f"{PICTURE.relative_to(ROOT)}, {PICTURE.stat().st_size / 1e3:.0f} kB; {notebook.errors()}")
            page.evaluate(f"() => {conftest.PANEL}.sessionContext.shutdown()")
        finally:
            lab.stop()
            chromium.close()


if __name__ == "__main__":
    main()
