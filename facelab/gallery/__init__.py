"""A gallery of people, each known by one or more vectors, in one file that loses nothing.

From the inside out: `columns` (what is kept), `store` (the file), `lock` (one writer), `search` (who is
nearest), `open_set` (how often a stranger gets a name), `sources` (photos, crops, vectors), `slides` (the
layout of the slides), and `gallery`, the class that puts them together.
"""

from facelab.gallery.answers import Candidate, Enrolled, Match, Person
from facelab.gallery.gallery import Gallery
from facelab.gallery.open_set import FpirEstimate

__all__ = ["Candidate", "Enrolled", "FpirEstimate", "Gallery", "Match", "Person"]
