"""Photos in: whatever a user holds → one upright RGB uint8 array.

Decisions that a caller may want to know:

- The EXIF orientation is applied, so the array is upright; an unreadable EXIF block counts as none.
- Transparent pixels are shown over white, as a browser on a white page shows them.
- Of an animation or a file of many pages, the first picture counts; of an open PIL image, the one it is at.
- 16-bit greys are scaled (65535 → 255, by /257), never clipped. Colour profiles are ignored.
- CMYK JPEGs are taken as inverted, with or without Adobe's marker, as browsers and PIL do.
- A file that ends too early is refused, never half decoded. To that end PIL's process-wide switch
  `LOAD_TRUNCATED_IMAGES` is switched off for good (with a warning) when somebody has switched it on. What
  nobody can see: bytes altered inside a JPEG's compressed data, which decode to other pixels silently.
- An array is taken as RGB. That it holds BGR (OpenCV) cannot be seen: give `array[..., ::-1]` then.
"""

import io
import os
import stat
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageFile

from facelab.errors import ImageError
from facelab.image_formats import FORMATS, check_whole, printable, what_it_is

MAX_PIXELS = 100_000_000
"""The largest photo that is decoded unless the caller says otherwise: 300 MB as an array."""

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif"}
    | {".jp2", ".ppm", ".pgm", ".heic", ".heif"}
)
"""The endings of file names that count as photos. HEIC is among them although PIL needs a plug-in to read it:
being told is better than missing photos without a word."""


Source = str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray | torch.Tensor


def read_image(source: Source, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """A photo as an upright RGB array: uint8, (height, width, 3), contiguous, the caller's own copy.

    source      a path; the bytes of a file; an object opened in binary mode, read from where it stands to its
                end; a PIL image; or an array or tensor of shape (H, W), (H, W, 1), (H, W, 3)
                or (H, W, 4), uint8, uint16, or floating point in 0 … 1.
    max_pixels  images that claim more are refused before they are decoded. PIL has limits of its own: it
                warns above 89 million and refuses above 179 million (`PIL.Image.MAX_IMAGE_PIXELS`).

    The module docstring says what happens to orientation, transparency, animations, 16 bits and CMYK.

    Raises ImageError, which names the source, when there is no photo in it or not all of it.
    """
    if isinstance(source, Image.Image):
        return _from_pil(source, name_of(source), max_pixels)
    if isinstance(source, np.ndarray | np.generic | torch.Tensor):
        return _from_array(source, name_of(source))
    name = name_of(source)
    return _decode(_bytes_of(source, name), name, max_pixels)


def name_of(source: object) -> str:
    """A short, printable name of any `source`, for messages: its path, or what it is."""
    if isinstance(source, str | os.PathLike):
        return printable(os.fsdecode(os.fspath(source)))
    if isinstance(source, bytes | bytearray | memoryview):
        return f"<{len(source):,} bytes>"
    if isinstance(source, Image.Image):
        filename = getattr(source, "filename", "")
        return name_of(filename) if filename else f"<PIL image {source.width}×{source.height} {source.mode}>"
    if isinstance(source, np.ndarray | np.generic | torch.Tensor):
        kind = "tensor" if isinstance(source, torch.Tensor) else "array"
        return f"<{kind} {tuple(source.shape)} {str(source.dtype).removeprefix('torch.')}>"
    filename = getattr(source, "name", None)
    return (
        name_of(filename) if isinstance(filename, str) and filename else f"<{type(source).__name__} object>"
    )


def is_image_path(path: str | os.PathLike) -> bool:
    """Whether the name ends like a photo's, in capitals or not. Nothing is opened."""
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def walk_images(folder: str | os.PathLike) -> Iterator[Path]:
    """Paths of the photos in `folder` and its sub-folders, one at a time, in the order of their names.

    Hidden files and folders (their names begin with a dot) are skipped, and so is what is not named like a
    photo. Links to folders are followed, and each folder is walked once, however many links lead to it. A
    sub-folder that cannot be listed is itself given in place of its photos: `read_image` refuses it and says
    why, so that one locked folder does not end a walk through all the others.

    Raises ImageError when `folder` is not a folder (at once) or cannot be listed itself.
    """
    if not os.path.isdir(folder):
        what = "is a file, not a folder" if os.path.exists(folder) else "does not exist"
        raise ImageError(f"{name_of(folder)} {what}. Give the folder that holds the photos.")
    return _walk(Path(folder), set())


def _walk(folder: Path, walked: set[tuple[int, int]]) -> Iterator[Path]:
    first = not walked
    try:
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in walked:
            return
        walked.add(here)
        with os.scandir(folder) as entries:
            found = sorted(
                (entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name
            )
    except OSError as error:
        if not first:
            yield folder
            return
        raise ImageError(_not_listed(folder, error)) from error
    for entry in found:
        path = folder / entry.name
        if os.path.isdir(path):  # unlike entry.is_dir(), this takes a link to itself calmly
            yield from _walk(path, walked)
        elif is_image_path(path) and os.path.isfile(path):
            yield path


def _not_listed(folder: str | os.PathLike, error: OSError) -> str:
    return f"{name_of(folder)} cannot be listed: {error.strerror}. Check its permissions."


# --- bytes ------------------------------------------------------------------------------------------------


def _bytes_of(source: object, name: str) -> bytes:
    if isinstance(source, str | os.PathLike):
        data = _read_file(os.fsdecode(os.fspath(source)), name)
    elif isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif hasattr(source, "read"):
        try:
            data = source.read()
        except (
            OSError,
            ValueError,
        ) as error:  # ValueError: the object is closed, or its text cannot be decoded
            raise ImageError(
                f"{name} cannot be read: {error}. Open the file with open(path, 'rb')."
            ) from error
        if not isinstance(data, bytes):
            raise ImageError(f"{name} was opened as text. Open the file with open(path, 'rb').")
    else:
        one = ", one photo a call" if isinstance(source, list | tuple) else ""
        raise ImageError(
            f"{type(source).__name__} is not a photo: give a path, the bytes of a file, a file object, a PIL "
            f"image or an array{one}."
        )
    if not data:
        hint = " It may have been read already: source.seek(0)." if hasattr(source, "read") else ""
        raise ImageError(f"{name} is empty (0 bytes), so there is no photo in it.{hint}")
    return data


def _read_file(path: str, name: str) -> bytes:
    if path.startswith(("http://", "https://")):
        raise ImageError(f"{name} is a web address. Download the photo first, and give its path.")
    # A name can be spelt composed (é) or decomposed (e and an accent): macOS likes the second, keyboards the
    # first, and to people they look the same.
    spellings = (path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path))
    try:
        path = next((spelling for spelling in spellings if os.path.exists(spelling)), path)
        if not stat.S_ISREG(os.stat(path).st_mode):  # reading a pipe or a device might never end
            if not os.path.isdir(path):
                raise ImageError(f"{name} is not an ordinary file. Give the path of one photo.")
            try:
                os.scandir(path).close()
            except OSError as error:
                raise ImageError(_not_listed(path, error)) from error
            raise ImageError(
                f"{name} is a folder; walk_images lists the photos in it. Give the path of one photo."
            )
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError as error:
        raise ImageError(
            f"{name} does not exist (looked in {printable(os.getcwd())}). Check the path."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise ImageError(f"{name} cannot be opened: {getattr(error, 'strerror', None) or error}.") from error


# --- decoding ---------------------------------------------------------------------------------------------


def _decode(data: bytes, name: str, max_pixels: int) -> np.ndarray:
    check_whole(data, name)
    plug_ins = tuple(format for format in ("HEIF",) if format in Image.OPEN)
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS + plug_ins)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"{name}: {error} Make it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it."
        ) from error
    except Exception as error:  # a damaged header can trip a plug-in of PIL in any way
        raise ImageError(f"{name} {what_it_is(data)}") from error
    with image:
        return _from_pil(image, name, max_pixels)


def _insist_on_whole_photos() -> None:
    """Switches off PIL's switch that lets half a photo pass for a whole one, and leaves it off: to switch it
    back after each photo would race with photos in other threads."""
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        warnings.warn(
            "facelab switched PIL.ImageFile.LOAD_TRUNCATED_IMAGES off: with it, half a photo passes for "
            "a whole one.",
            stacklevel=2,
        )


def _from_pil(image: Image.Image, name: str, max_pixels: int) -> np.ndarray:
    _insist_on_whole_photos()
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(
            f"{name} has {width}×{height} pixels, more than the limit of {max_pixels:,}. Make it smaller, or "
            f"pass max_pixels={width * height} if you trust it."
        )
    if width * height == 0:
        raise ImageError(f"{name} has no pixels ({width}×{height}).")
    try:
        image.load()
        if image.mode.startswith(("I", "F")):
            array = _grey_of_many_bits(image, name)
        elif image.has_transparency_data:
            array = _over_white(np.array(image.convert("RGBA")))
        else:
            array = np.array(image if image.mode == "RGB" else image.convert("RGB"))
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(
            f"{name} ({width}×{height} pixels) does not fit into this machine's memory. Make it smaller."
        ) from error
    except Exception as error:  # a damaged file can trip a decoder of PIL in any way
        raise ImageError(
            f"{name} is damaged or cut short ({image.format or 'PIL'}: {error}). Copy or download it again."
        ) from error
    return np.ascontiguousarray(_upright(array, _orientation(image)))


def _orientation(image: Image.Image) -> int:
    """EXIF tag 0x0112, 1 … 8; 1 (upright) where there is none that can be read."""
    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:  # a broken EXIF block says nothing about the orientation, and the pixels are sound
        return 1
    return orientation if orientation in range(1, 9) else 1


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Undoes an EXIF orientation: 2 mirrored, 3 turned by half, 4 mirrored and turned by half; 6 and 8 turned
    by a quarter, 5 and 7 mirrored and turned by a quarter."""
    if orientation >= 5:  # the scene's rows were stored as columns
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array


def _grey_of_many_bits(image: Image.Image, name: str) -> np.ndarray:
    """PIL's modes I;16 (16 bits), I (32, used for 16) and F, which its own conversion to RGB would clip."""
    array = np.array(image)
    if array.dtype.kind in "iu":
        if array.min() < 0 or array.max() > 65535:
            raise ImageError(
                f"{name} holds whole numbers from {array.min()} to {array.max()}, more than 16 bits. Save it "
                "with 8 or 16 bits a channel."
            )
        array = array.astype(np.uint16)
    return _from_array(array, name)


# --- arrays -----------------------------------------------------------------------------------------------


def _from_array(source: np.ndarray | torch.Tensor, name: str) -> np.ndarray:
    if isinstance(source, torch.Tensor):
        source = source.detach().cpu()
        array = (source.float() if source.is_floating_point() else source).numpy()  # numpy has no bfloat16
    else:
        array = np.asarray(source)
    shape = array.shape
    if array.ndim == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        raise ImageError(
            f"{name} looks like (channels, height, width); photos are (height, width, channels): give "
            "array.transpose(1, 2, 0), or tensor.permute(1, 2, 0)."
        )
    if array.ndim == 4:
        raise ImageError(f"{name} looks like a batch of photos; give them one at a time.")
    if not (array.ndim == 2 or (array.ndim == 3 and shape[2] in (1, 3, 4))):
        raise ImageError(f"{name} is not a photo: the shape must be (H, W) or (H, W, 1, 3 or 4).")
    if array.size == 0:
        raise ImageError(f"{name} is empty, so there is no photo in it.")
    array = _to_uint8(array, name)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    if array.shape[2] == 4:
        array = _over_white(array)
    return np.array(array, order="C")


def _to_uint8(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if array.dtype.kind == "f":
        low, high = array.min(), array.max()  # both are NaN when there is a NaN
        if not (low >= 0 and high <= 1):
            problem = "NaN" if np.isnan(low) else f"numbers from {low:g} to {high:g}"
            raise ImageError(
                f"{name} holds {problem}; floating-point photos are 0 … 1. Scale it, or give uint8 "
                "in 0 … 255."
            )
        return np.round(array * 255).astype(np.uint8)
    raise ImageError(
        f"{name} holds {array.dtype}; photos are uint8 (0 … 255), uint16 (0 … 65535) or floating point (0 "
        "… 1). For whole numbers in 0 … 255 give array.astype(np.uint8)."
    )


def _over_white(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 4) → (H, W, 3): c·α + 255·(1 − α) with α = A/255, rounded. Opaque pixels stay exactly as they
    are."""
    alpha = rgba[..., 3:].astype(np.uint32)
    colour = rgba[..., :3].astype(np.uint32)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
