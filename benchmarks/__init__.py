"""Each module here prints a table: facelab beside its peers, measured in one run.

    python -m benchmarks.embed

A benchmark describes the machine it ran on, and never fails because something was slow.
"""
