"""Lesson 12's challenge: turn your head. Five landmarks of a head, of a flat photo and of a bent one, seen by
a camera; and the one number that a flat photo cannot change.

    points = landmarks("a head", turn=25)      # (5, 2), in distances between the eyes
    nose_place(points)                         # 0.5 from the front; elsewhere when a head turns

The head is a rough one: the nose's tip stands out by half the distance between the eyes. It is geometry and
no measurement; the camera of `widgets.challenge` is where real heads are looked at.
"""

import numpy as np

HEAD = np.array(
    [(-0.5, 0.0, 0.0), (0.5, 0.0, 0.0), (0.0, 0.55, 0.5), (-0.4, 1.1, 0.1), (0.4, 1.1, 0.1)], float
)
"""Right and left eye (as the image has them: left and right), nose, corners of the mouth: x to the right, y
down, z towards the camera; unit: the distance between the eyes."""

DISTANCE = 8.0
"""From the camera, distances between the eyes: half a metre."""

HELD = ("a head", "a flat photo", "a bent photo")


def landmarks(held: str, turn: float = 0.0, nod: float = 0.0, bend: float = 0.8) -> np.ndarray:
    """Where a camera sees the five landmarks, (5, 2).

    held       one of HELD; a photo is one of the head, from the front
    turn, nod  degrees: to the image's right, down
    bend       of the bent photo around an upright axis: curvature, 1 / distances between the eyes

    Raises ValueError for anything else that is held.
    """
    if held not in HELD:
        raise ValueError(f"held={held!r}: one of {', '.join(HELD)}.")
    points = HEAD - HEAD.mean(0) * (0, 1, 0)
    if held != "a head":
        points = np.column_stack([seen(points), np.zeros(5)])
    if held == "a bent photo" and bend:
        along = points[:, 0] * bend
        points = np.column_stack([np.sin(along) / bend, points[:, 1], (np.cos(along) - 1) / bend])
    a, b = np.radians(turn), np.radians(nod)
    around = np.array([(np.cos(a), 0, np.sin(a)), (0, 1, 0), (-np.sin(a), 0, np.cos(a))])
    down = np.array([(1, 0, 0), (0, np.cos(b), np.sin(b)), (0, -np.sin(b), np.cos(b))])
    return seen(points @ around.T @ down.T)


def seen(points: np.ndarray) -> np.ndarray:
    """(N, 3) → (N, 2): farther away is smaller."""
    return points[:, :2] * DISTANCE / (DISTANCE - points[:, 2:])


def nose_place(points: np.ndarray) -> float:
    """How far across the face the nose lies, measured along the eyes: 0 below the image's left eye, 1 below
    the right one, 0.5 in the middle.

    points (5, 2) as `Face.landmarks`. Down the face it is measured along the line from the middle of the
    eyes to the middle of the mouth. So whatever moves, turns, shrinks or slants all five points as one plane
    (an affine map) leaves the number as it is.
    """
    points = np.asarray(points, float)
    left, right = points[0], points[1]
    down = points[3:].mean(0) - (left + right) / 2
    across, _ = np.linalg.solve(np.column_stack([right - left, down]), points[2] - left)
    return float(across)
