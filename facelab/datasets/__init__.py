"""Photos with names, the pairs that benchmarks compare, and templates for those who have no photos.

- `folder(path)`: photos of your own, one sub-folder for each person; `embedded(folder(path))` brings
  them through the pipeline, `read_embedded(file)` reads what `facelab embed` made of them;
- `lfw()`, `lfw_pairs(protocol)`: Labeled Faces in the Wild, once `facelab data get lfw` has brought it;
  its own protocols, and two with negatives that look alike: "lookalike", made here, and "fglfw", once
  it is brought;
- `lfw_templates()`: one vector for each of LFW's photos, computed by this project, always at hand;
- `get_lfw(…)`, `get_fglfw(…)`, `get_portraits(…)`, `status()`: what `facelab data` calls.

What is missing or damaged raises `facelab.errors.DatasetError` and says what brings it.
"""

from facelab.datasets.people import Embedded, embedded, read_embedded
from facelab.datasets.photos import PhotoSet, folder
from facelab.datasets.portraits import folder_of_portraits, get_portraits, portrait_list
from facelab.datasets.protocols import HARDER, PROTOCOLS, Pairs, lfw_pairs
from facelab.datasets.status import Row, status
from facelab.datasets.templates import IndexPairs, Templates, lfw_templates
from facelab.datasets.wild import LFW, get_fglfw, get_lfw, lfw

__all__ = [
    "HARDER",
    "LFW",
    "PROTOCOLS",
    "Embedded",
    "IndexPairs",
    "Pairs",
    "PhotoSet",
    "Row",
    "Templates",
    "embedded",
    "folder",
    "folder_of_portraits",
    "get_fglfw",
    "get_lfw",
    "get_portraits",
    "lfw",
    "lfw_pairs",
    "lfw_templates",
    "portrait_list",
    "read_embedded",
    "status",
]
