"""Live figures for the lessons: move a control, and the picture answers at once.

`base.LiveWidget` is what they stand on; the others are one module per question.
"""
