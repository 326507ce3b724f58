"""Exercises that say at once whether an answer is right, and why.

    from facelab.course import exercises
    exercises.check("05.1", my_answer)   # right, not yet right (with a diagnosis), or not answered yet
    exercises.hint("05.1")               # the next hint
    exercises.progress()                 # this session's exercises at a glance

The modules of a lesson (`lesson05.py`, `lesson05_anchors.py`) register its exercises; `core.py` shows how to
write one.
"""

from facelab.course.exercises.core import check, hint, progress

__all__ = ["check", "hint", "progress"]
