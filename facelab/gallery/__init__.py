"""A gallery of people, each known by one or more vectors, in one file that loses nothing.

From the inside out: `columns` (what is kept), `safe_write` (files that are never half written), `store` (the
file), `lock` (one writer), `search` (who is nearest), `open_set` (how often a stranger gets a name),
`sources` (photos, crops, vectors), `answers` (what comes back), `binding` (the pipeline it belongs to),
`slides` (the layout of the slides), and `gallery`, the class that puts them together.
"""

from facelab.gallery.answers import Candidate, Enrolled, Match, Person
from facelab.gallery.gallery import Gallery
from facelab.gallery.open_set import FpirEstimate

__all__ = ["Candidate", "Enrolled", "FpirEstimate", "Gallery", "Match", "Person"]
