"""A gallery of people, each known by one or more vectors, in one file that loses nothing.

From the inside out: `columns` (what is kept), `store` (the file, on `facelab.safe_write`), `lock` (one
writer), `search` (who is nearest), `approximate` and `recall` (who probably is, by an index), `open_set` (how
often a stranger gets a name), `sources` (photos, crops, vectors), `answers` (what comes back), `binding` (the
pipeline it belongs to), `slides` (the layout of the slides), `base` (what any gallery does with all that),
`gallery`, the class that puts them together, and `postgres…`, its like in a database for many writers.
"""

from facelab.gallery.answers import Candidate, Enrolled, Match, Person
from facelab.gallery.gallery import Gallery
from facelab.gallery.open_set import FpirEstimate

__all__ = ["Candidate", "Enrolled", "FpirEstimate", "Gallery", "Match", "Person"]
