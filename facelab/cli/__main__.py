"""`python -m facelab.cli`, where the command `facelab` is not on the path."""

from facelab.cli import app

app()
