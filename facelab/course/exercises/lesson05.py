"""Exercises of lesson 05: crop, angle of the eyes, and the similarity transform."""

import numpy as np

from facelab.course.exercises.core import Wrong, array, close, exercise, expect, number

# ---- 05.4 -------------------------------------------------------------------------------------------------


def square_corners(box, scale):
    x1, y1, x2, y2 = box
    cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
    half = scale * max(x2 - x1, y2 - y1) / 2
    return cx - half, cy - half, cx + half, cy + half


def _shorter_side(box, scale):
    x1, y1, x2, y2 = box
    cx, cy, half = (x1 + x2) / 2, (y1 + y2) / 2, scale * min(x2 - x1, y2 - y1) / 2
    return cx - half, cy - half, cx + half, cy + half


def _from_the_corner(box, scale):
    x1, y1, x2, y2 = box
    side = scale * max(x2 - x1, y2 - y1)
    return x1, y1, x1 + side, y1 + side


def _half_as_side(box, scale):
    x1, y1, x2, y2 = box
    cx, cy, side = (x1 + x2) / 2, (y1 + y2) / 2, scale * max(x2 - x1, y2 - y1)
    return cx - side, cy - side, cx + side, cy + side


@exercise(
    "05.4",
    "The corners of the square crop",
    hints=(
        "The middle of the box is ((x1 + x2) / 2, (y1 + y2) / 2), and it stays the middle of the square.",
        "The side is scale × the longer of width and height. From the middle it is half a side to each edge.",
    ),
    solution=square_corners,
    mistakes=(
        _shorter_side,
        _from_the_corner,
        _half_as_side,
        lambda box, scale: square_corners(box, 1.0),
        lambda box, scale: tuple(np.array(square_corners(box, scale))[[1, 0, 3, 2]]),
        lambda box, scale: box,
    ),
)
def square(answer):
    for box, scale in (((100.0, 40.0, 180.0, 160.0), 1.0), ((10.0, 20.0, 110.0, 80.0), 1.3)):
        got = array(answer(box, scale), (4,))
        truth = np.array(square_corners(box, scale))
        case = f"For the box {box} and scale {scale}:"
        diagnoses = (
            (_shorter_side, "you took the shorter side: chin and forehead are cut off. Take the longer one."),
            (
                _from_the_corner,
                "your square starts at the box's corner. Keep its middle where the box's middle is.",
            ),
            (
                _half_as_side,
                "your square is twice too large: from the middle it is half a side to each edge.",
            ),
            (lambda box, scale: box, "you gave back the box itself, which is no square."),
        )
        for mistake, words in diagnoses:
            if close(got, np.array(mistake(box, scale))):
                raise Wrong(f"{case} {words}")
        if close(got, truth[[1, 0, 3, 2]]):
            raise Wrong("x and y are swapped: the order is x1, y1, x2, y2.")
        if scale != 1 and close(got, np.array(square_corners(box, 1.0))):
            raise Wrong(f"{case} you got the square for scale 1: the side grows with the scale.")
        wanted = ", ".join(f"{value:g}" for value in truth)
        yours = ", ".join(f"{value:g}" for value in got)
        expect(close(got, truth), f"{case} the corners should be ({wanted}); yours are ({yours}).")
    return (
        "Same middle, equal sides: the face keeps its shape. The corners may lie outside the photo; the crop "
        "is black there, and no index ever goes below zero."
    )


# ---- 05.5 -------------------------------------------------------------------------------------------------


def angle_of_the_eyes(landmarks):
    dx, dy = np.subtract(landmarks[1], landmarks[0])
    return np.arctan2(dy, dx)


def _turned(angle: float) -> np.ndarray:
    """Five landmarks of an upright face, turned clockwise on the screen by `angle`."""
    upright = np.array([[-18.0, -20.0], [18.0, -20.0], [0.0, 0.0], [-14.0, 21.0], [14.0, 21.0]])
    c, s = np.cos(angle), np.sin(angle)
    return upright @ np.array([[c, s], [-s, c]]) + (200.0, 150.0)


@exercise(
    "05.5",
    "The angle of the eyes",
    hints=(
        "Landmark 0 is the person's right eye and lies on the left of the photo; landmark 1 is the left eye.",
        "numpy.arctan2(dy, dx) gives the angle in radians, and knows in which quarter it lies.",
    ),
    solution=angle_of_the_eyes,
    mistakes=(
        lambda landmarks: np.degrees(angle_of_the_eyes(landmarks)),
        lambda landmarks: -angle_of_the_eyes(landmarks),
        lambda landmarks: angle_of_the_eyes(landmarks[::-1]),
        lambda landmarks: np.pi / 2 - angle_of_the_eyes(landmarks),
        lambda landmarks: np.arctan2(landmarks[0][1] - landmarks[1][1], landmarks[0][0] - landmarks[1][0]),
    ),
)
def eye_angle(answer):
    for truth in (0.35, -0.6, 2.4):
        landmarks = _turned(truth)
        got = number(answer(landmarks))
        if close(got, np.degrees(truth)):
            raise Wrong(
                "That is the angle in degrees. Angles are in radians here: arctan2 gives them directly."
            )
        if close(got, -truth):
            raise Wrong(
                "The sign is the wrong way round: y grows downwards, and dy is left eye minus right eye."
            )
        if close(got, np.pi / 2 - truth):
            raise Wrong("dx and dy are swapped: it is arctan2(dy, dx).")
        if close(abs(got - truth), np.pi):
            words = "off by half a turn: from landmark 0 to landmark 1, please"
            if truth == 2.4:
                words = "off by half a turn for a head almost upside down: arctan cannot tell, arctan2 can"
            raise Wrong(f"Your angle is {words}.")
        expect(
            close(got, truth),
            f"For eyes at {landmarks[0].round(1)} and {landmarks[1].round(1)} the angle is {truth:g} rad; "
            f"yours is {got:.4f}. Landmarks are rows of x, y.",
        )
    return (
        "Turn the crop by this angle and the eyes come to lie level. Two points are enough for it, and one "
        "bad point is enough to spoil it: alignment uses five."
    )


# ---- 05.6 -------------------------------------------------------------------------------------------------


def similarity_from_points(src, dst):
    z, w = src[:, 0] + 1j * src[:, 1], dst[:, 0] + 1j * dst[:, 1]
    z0, w0 = z - z.mean(), w - w.mean()
    a = np.sum(np.conj(z0) * w0) / np.sum(np.abs(z0) ** 2)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _affine(src, dst):
    ones = np.hstack([src, np.ones((len(src), 1))])
    return np.linalg.lstsq(ones, dst, rcond=None)[0].T


def _no_means(src, dst):
    z, w = src[:, 0] + 1j * src[:, 1], dst[:, 0] + 1j * dst[:, 1]
    a = np.sum(np.conj(z) * w) / np.sum(np.abs(z) ** 2)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _other_way(src, dst):
    return similarity_from_points(dst, src)


def _conjugate(src, dst):
    """The turn in the other direction: the bar on w̃ instead of on z̃."""
    z, w = src[:, 0] + 1j * src[:, 1], dst[:, 0] + 1j * dst[:, 1]
    z0, w0 = z - z.mean(), w - w.mean()
    a = np.sum(z0 * np.conj(w0)) / np.sum(np.abs(z0) ** 2)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _no_bar(src, dst):
    z, w = src[:, 0] + 1j * src[:, 1], dst[:, 0] + 1j * dst[:, 1]
    z0, w0 = z - z.mean(), w - w.mean()
    a = np.sum(z0 * w0) / np.sum(np.abs(z0) ** 2)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _sign(src, dst):
    return similarity_from_points(src, dst) * np.array([[1, -1, 1], [-1, 1, 1]])


@exercise(
    "05.6",
    "The similarity that moves five points onto the template",
    hints=(
        "Points as complex numbers: z = src[:, 0] + 1j * src[:, 1], and w from dst. Subtract both means.",
        "a = Σ conj(z̃)·w̃ / Σ |z̃|², and b = mean(w) − a · mean(z).",
        "a·z written as a matrix: [[Re a, −Im a], [Im a, Re a]]. b is the third column.",
    ),
    solution=similarity_from_points,
    mistakes=(
        _affine,
        _no_means,
        _other_way,
        _conjugate,
        _no_bar,
        _sign,
        lambda src, dst: _affine(src, dst)[:, :2],
    ),
)
def closed_form(answer):
    from facelab.align import TEMPLATES

    dst = TEMPLATES["112x112"].numpy()
    src = 1.7 * _turned(0.35) + np.array([[2.0, -1.0], [0.0, 3.0], [-4.0, 1.0], [1.0, 1.0], [2.0, -2.0]])
    got, truth = array(answer(src.copy(), dst.copy())), similarity_from_points(src, dst)
    if got.shape == (2, 2):
        raise Wrong("A (2, 2) matrix turns and scales only. The shift b is the third column: (2, 3).")
    expect(got.shape == (2, 3), f"The shape should be (2, 3); yours is {got.shape}.")
    diagnoses = (
        (_affine, "That is the best affine matrix: with six free numbers it may shear the face. Use four."),
        (_no_means, "The means are still in there: subtract them from z and w before you sum up a."),
        (_other_way, "That matrix leads from the template to the photo; it should lead from src to dst."),
        (_conjugate, "It turns the wrong way: the bar (np.conj) belongs on z̃, not on w̃."),
        (_no_bar, "The bar over z̃ is missing: the sum above the line takes np.conj(z̃) times w̃."),
        (_sign, "It turns the wrong way: −Im a stands in the first row, +Im a in the second."),
    )
    for mistake, words in diagnoses:
        if close(got, mistake(src, dst)):
            raise Wrong(words)
    left = np.sqrt(np.mean(np.sum((src @ got[:, :2].T + got[:, 2] - dst) ** 2, axis=1)))
    best = np.sqrt(np.mean(np.sum((src @ truth[:, :2].T + truth[:, 2] - dst) ** 2, axis=1)))
    expect(
        close(got, truth),
        f"Your matrix leaves the points {left:.2f} pixels from the template (root mean square); "
        f"the best similarity leaves {best:.2f}.",
    )
    return (
        "One complex number turns and scales, one more shifts: a least-squares line through five points. It "
        "is what `fl.align` computes for every face of a batch at once (Umeyama 1991, for the plane)."
    )
