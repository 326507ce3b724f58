"""The course: all that the notebooks use and the library does not.

`widgets` (live pictures), `exercises` (checks that explain), `plots` (style and pictures), `portraits` (the
two that may be shown), `peers` (DeepFace beside facelab), and each lesson's own experiments under the
lesson's name: `lesson04` holds what lesson 04 trains. The course imports the library, never the other way
round.
"""
