"""The one family of errors that facelab raises on purpose.

Every message names the input it is about, says what was wrong with it, and what to do.
"""


class FacelabError(Exception):
    """Base of everything facelab raises on purpose."""


class ImageError(FacelabError):
    """A photo cannot be read: missing, truncated, too large, or not a photo at all."""


class NoFaceError(FacelabError):
    """A photo was read, and holds no face (or no face of the number asked for)."""


class WeightsError(FacelabError):
    """A weights file is missing, damaged, or not the one that was expected."""


class DatasetError(FacelabError):
    """A data set is missing, incomplete, or not in the form that was expected."""


class GalleryError(FacelabError):
    """A gallery cannot be opened, read or written, or does not fit the embedder in use."""


class DeviceError(FacelabError):
    """A device was asked for that this machine does not have."""


class AlbumError(FacelabError):
    """An album cannot be made, opened or changed."""


class AttackError(FacelabError):
    """A face looks like a presentation attack (a print, a screen …), so nothing is said of whose it is.

    live       its score, 0 … 1
    threshold  the smallest that passes
    """

    def __init__(self, message: str, live: float = float("nan"), threshold: float = float("nan")):
        super().__init__(message)
        self.live, self.threshold = live, threshold

    def __reduce__(self):
        return type(self), (str(self), self.live, self.threshold)
