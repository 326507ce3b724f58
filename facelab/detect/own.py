"""Detectors that facelab did not bring: any callable from photos to faces.

pipe = Pipeline(detector=function)   # a list of photos, RGB uint8 (H, W, 3) arrays → a list of Faces for each
"""

from collections.abc import Callable

from torch import Tensor

from facelab.detect.face import Face, largest_first
from facelab.errors import FacelabError
from facelab.names import name_of


class OwnDetector:
    """Gives a callable the face of facelab's detectors. Raises FacelabError, naming it, when it fails or does
    not give one list of Faces for each photo."""

    def __init__(self, call: Callable):
        self._call, self.name = call, name_of(call)

    def detect(self, photos: list[Tensor]) -> list[list[Face]]:
        """Photos (H, W, 3) uint8 → for each its faces, largest first."""
        try:
            found = list(self._call([photo.cpu().numpy() for photo in photos]))
        except FacelabError:
            raise
        except Exception as error:
            raise FacelabError(
                f"the detector {self.name} failed on {len(photos)} photos: {type(error).__name__}: {error}. "
                "It is called with a list of RGB uint8 arrays (H, W, 3)."
            ) from error
        sound = len(found) == len(photos) and all(
            isinstance(faces, list | tuple) and all(isinstance(face, Face) for face in faces)
            for faces in found
        )
        if not sound:
            raise FacelabError(
                f"the detector {self.name} must give one list of facelab.Face for each of the {len(photos)} "
                "photos, an empty one where nobody is."
            )
        return [largest_first(list(faces)) for faces in found]
