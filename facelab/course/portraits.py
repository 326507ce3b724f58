"""The two portraits that the course may show everywhere, and what can happen to a photo of the same person.

Both are works of the United States' government, in the public domain, and arrive inside packages that are
installed anyway. Every function takes and returns a photo, (H, W, 3) RGB uint8.
"""

import numpy as np
from PIL import Image, ImageFilter

from facelab.detect import Face
from facelab.images import read_image

PAPER, TABLE = 246, (96, 84, 74)  # grey of the paper, RGB of the table it lies on


def collins() -> np.ndarray:
    """Eileen Collins, astronaut, in 1993 (NASA; carried by scikit-image). (512, 512, 3)."""
    from skimage.data import astronaut

    return astronaut()


def hopper() -> np.ndarray:
    """Grace Hopper, computer scientist, rear admiral (US Navy; carried by matplotlib). (600, 512, 3)."""
    from matplotlib.cbook import get_sample_data

    with get_sample_data("grace_hopper.jpg") as file:
        return read_image(file)


def more() -> dict[str, np.ndarray]:
    """The portraits that `facelab data get portraits` has brought, by person and title; none where it was not
    run. They are shown live and never stored with a notebook."""
    from facelab.datasets.portraits import available

    return {f"{who}, {path.stem}": read_image(path) for who, paths in available().items() for path in paths}


def head(photo: np.ndarray, face: Face, margin: float = 0.5) -> np.ndarray:
    """The face with `margin` times its box's size around it, as far as the photo goes."""
    x1, y1, x2, y2 = face.box
    wide, high = margin * (x2 - x1), margin * (y2 - y1)
    height, width = photo.shape[:2]
    return cropped(
        photo, (max(0, x1 - wide), max(0, y1 - high), min(width, x2 + wide), min(height, y2 + high))
    )


def changes(photo: np.ndarray, face: Face) -> dict[str, np.ndarray]:
    """The same photo of the same person, changed in eight ways that a camera knows; a name for each."""
    x1, y1, x2, y2 = face.box
    high = y2 - y1
    return {
        "a quarter of the light": darker(photo),
        "lit from one side": lit_from_the_side(photo),
        "tilted by 25°": tilted(photo),
        "cut at the box": cropped(photo, face.box),
        "mouth covered": covered(photo, (x1, y1 + 0.62 * high, x2, y2)),
        "eyes covered": covered(photo, (x1, y1 + 0.28 * high, x2, y1 + 0.48 * high)),
        "a little blurred": blurred(photo, 3),
        "blurred": blurred(photo, 5),
    }


def darker(photo: np.ndarray, light: float = 0.25) -> np.ndarray:
    """As much light as `light` says, 1 being all of it."""
    return bytes_of(photo * light)


def lit_from_the_side(photo: np.ndarray, dark: float = 0.1) -> np.ndarray:
    """Light from the left: full at the left edge, `dark` of it at the right one."""
    return bytes_of(photo * np.linspace(1.0, dark, photo.shape[1])[None, :, None])


def blurred(photo: np.ndarray, radius: float = 5.0) -> np.ndarray:
    """Out of focus: Gaussian blur, radius in pixels."""
    return np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(radius)))


def grainy(photo: np.ndarray, sigma: float = 60.0, seed: int = 0) -> np.ndarray:
    """The noise of a poor sensor: Gaussian, its standard deviation in grey levels."""
    return bytes_of(photo + np.random.default_rng(seed).normal(0.0, sigma, photo.shape))


def tilted(photo: np.ndarray, degrees: float = 25.0) -> np.ndarray:
    """The camera held askew; the corners that come into view are black."""
    return np.asarray(Image.fromarray(photo).rotate(degrees, Image.Resampling.BICUBIC))


def cropped(photo: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """What lies in the box x1, y1, x2, y2 (pixels; all of it inside the photo)."""
    x1, y1, x2, y2 = (round(edge) for edge in box)
    return np.ascontiguousarray(photo[y1:y2, x1:x2])


def covered(photo: np.ndarray, box: tuple[float, float, float, float], grey: int = 60) -> np.ndarray:
    """Something grey before the box x1, y1, x2, y2: a hand, a mask."""
    x1, y1, x2, y2 = (round(edge) for edge in box)
    photo = photo.copy()
    photo[y1:y2, x1:x2] = grey
    return photo


def tiny(photo: np.ndarray, factor: float = 0.06) -> np.ndarray:
    """Seen from far away: shrunk to `factor` of its size and enlarged again, so that only detail is lost."""
    image = Image.fromarray(photo)
    small = image.resize([max(1, round(side * factor)) for side in image.size], Image.Resampling.BOX)
    return np.asarray(small.resize(image.size, Image.Resampling.BICUBIC))


def printed(photo: np.ndarray, *, contrast: float = 0.7, lean: float = 0.07, seed: int = 0) -> np.ndarray:
    """A photo of a print of the photo: paper with a border, on a table, seen at a slant, in flat ink.

    contrast  of the ink, 1 being the photo's own
    lean      how much narrower the far edge of the paper looks than the near one, as a share of its width
    """
    height, width = photo.shape[:2]
    edge = round(0.07 * width)
    ink = 128 + contrast * (photo.astype(float) - 128) + (14, 6, -10)  # old inks are warm
    paper = np.full((height + 2 * edge, width + 2 * edge, 3), float(PAPER))
    paper[edge:-edge, edge:-edge] = ink
    rows, columns = paper.shape[:2]
    border = round(0.1 * width)
    out = (columns + 2 * border, rows + 2 * border)
    lean = lean * columns
    left, top, right, bottom = border, border, out[0] - border, out[1] - border
    seen = [
        (left + lean, top + lean / 2),
        (right - lean / 3, top),
        (right, bottom - lean / 4),
        (left, bottom),
    ]
    corners = [(0, 0), (columns, 0), (columns, rows), (0, rows)]
    plan = perspective(seen, corners)
    warped = Image.fromarray(bytes_of(paper)).transform(
        out, Image.Transform.PERSPECTIVE, plan, Image.Resampling.BICUBIC
    )
    there = Image.new("L", (columns, rows), 255).transform(out, Image.Transform.PERSPECTIVE, plan)
    scene = Image.composite(warped, Image.new("RGB", out, TABLE), there).filter(ImageFilter.GaussianBlur(0.8))
    return grainy(np.asarray(scene), 5.0, seed)


def perspective(seen: list[tuple[float, float]], source: list[tuple[float, float]]) -> list[float]:
    """The eight numbers that PIL's PERSPECTIVE wants, taking the four points `seen` to the four of `source`.

    x' = (ax + by + c) / (gx + hy + 1), y' = (dx + ey + f) / (gx + hy + 1)
    """
    rows = []
    for (x, y), (u, v) in zip(seen, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.linalg.solve(np.array(rows, float), np.ravel(source)).tolist()


def bytes_of(values: np.ndarray) -> np.ndarray:
    """Rounded and cut off at 0 and 255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
