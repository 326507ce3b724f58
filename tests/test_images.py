"""facelab.images: whatever a user holds becomes one upright RGB array, or an error that says why not."""

import io
import itertools
import os
import struct
import unicodedata
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile
from skimage.data import astronaut

from facelab import images
from facelab.errors import ImageError
from facelab.images import is_image_path, name_of, read_image, walk_images

HOPPER = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
PHOTO = np.ascontiguousarray(astronaut()[:300:3, :360:3])  # (100, 120, 3)
NOISE = np.random.default_rng(0).integers(0, 256, (11, 17, 3), dtype=np.uint8)


def encode(picture, kind="PNG", **options) -> bytes:
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def picture_or_error(source, **options) -> np.ndarray | str:
    try:
        return read_image(source, **options)
    except ImageError as error:
        return str(error)


def same(a, b) -> None:
    assert a.dtype == np.uint8
    assert a.flags.c_contiguous
    assert a.flags.writeable
    np.testing.assert_array_equal(a, b)


# --- sources ------------------------------------------------------------------------------------------------


def test_every_kind_of_source_gives_the_same_array(tmp_path):
    data = encode(NOISE)
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for source in (
        path,
        str(path),
        data,
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        Image.open(path),
    ):
        same(read_image(source), NOISE)
    with open(path, "rb") as stream:
        same(read_image(stream), NOISE)
    same(read_image(NOISE), NOISE)
    same(read_image(torch.from_numpy(NOISE)), NOISE)


def test_a_file_object_is_read_from_where_it_stands():
    data = encode(NOISE)
    stream = io.BytesIO(b"12345" + data)
    stream.seek(5)
    same(read_image(stream), NOISE)
    with pytest.raises(ImageError, match=r"empty.*seek\(0\)"):
        read_image(stream)


def test_a_real_portrait():
    photo = read_image(HOPPER)
    assert photo.shape == (600, 512, 3)
    assert photo.std() > 30


@pytest.mark.parametrize(
    "name",
    [
        "지수.png",
        "上野 樹里.png",
        "é.png",
        unicodedata.normalize("NFD", "지é.png"),
        "a b  c.png",
        "😀👩‍🚀.png",
        "#?%20.png",
    ],
)
def test_names_in_any_script(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(encode(NOISE))
    same(read_image(path), NOISE)
    assert [p.name for p in walk_images(tmp_path)] == [name]


@pytest.mark.skipif(os.name == "nt", reason="names are not bytes on Windows")
def test_a_name_that_is_no_text(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"\xff\xfe.png")
    try:
        Path(os.fsdecode(path)).write_bytes(encode(NOISE))
    except OSError:
        pytest.skip("this file system wants names in UTF-8")
    (found,) = walk_images(tmp_path)
    same(read_image(found), NOISE)
    assert name_of(found).endswith("\\udcff\\udcfe.png")
    name_of(found).encode()  # can be printed


@pytest.mark.parametrize(("there", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_spelt_the_other_way_is_found(there, asked, tmp_path):
    name = "지수é.png"
    (tmp_path / unicodedata.normalize(there, name)).write_bytes(encode(NOISE))
    same(read_image(tmp_path / unicodedata.normalize(asked, name)), NOISE)


def test_the_result_is_the_callers_own():
    source = NOISE.copy()
    read_image(source)[:] = 0
    np.testing.assert_array_equal(source, NOISE)
    picture = Image.fromarray(NOISE)
    read_image(picture)[:] = 0
    np.testing.assert_array_equal(np.asarray(picture), NOISE)


# --- orientation --------------------------------------------------------------------------------------------


def stored(scene: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF 2.3, tag 0x0112: which sides of the scene the stored row 0 and column 0 are. Pixel by pixel."""
    row0, column0 = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]
    height, width = scene.shape[:2]
    turned = row0 in ("left", "right")
    result = np.empty((width, height, 3) if turned else scene.shape, np.uint8)
    for r, c in np.ndindex(result.shape[:2]):
        y, x = (c, r) if turned else (r, c)
        if "right" in (row0, column0):
            x = width - 1 - x
        if "bottom" in (row0, column0):
            y = height - 1 - y
        result[r, c] = scene[y, x]
    return result


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_all_orientations_come_upright(orientation, kind):
    picture = Image.fromarray(stored(NOISE, orientation))
    exif = picture.getexif()
    exif[0x0112] = orientation
    data = encode(picture, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    same(read_image(data), NOISE)
    same(read_image(Image.open(io.BytesIO(data))), NOISE)


@pytest.mark.parametrize("orientation", [3, 6])
def test_orientation_of_a_jpeg(orientation):
    picture = Image.fromarray(stored(PHOTO, orientation))
    exif = picture.getexif()
    exif[0x0112] = orientation
    difference = read_image(encode(picture, "JPEG", exif=exif, quality=95)).astype(int) - PHOTO
    assert abs(difference).mean() < 4


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_a_senseless_orientation_counts_as_none(orientation):
    picture = Image.fromarray(NOISE)
    exif = picture.getexif()
    exif[0x0112] = orientation
    same(read_image(encode(picture, exif=exif)), NOISE)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_broken_exif_block_does_not_lose_the_photo():
    data = encode(PHOTO, "JPEG")
    junk = b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\x99" * 20
    same(
        read_image(data[:2] + b"\xff\xe1" + struct.pack(">H", len(junk) + 2) + junk + data[2:]),
        read_image(data),
    )


# --- colour modes -------------------------------------------------------------------------------------------


def test_grey_one_bit_and_palette():
    grey = NOISE[..., 0]
    three = np.repeat(grey[..., None], 3, axis=2)
    same(read_image(encode(grey)), three)
    same(read_image(encode(Image.fromarray(grey > 127))), (three > 127) * np.uint8(255))
    palette = Image.fromarray(PHOTO).quantize(16)
    same(read_image(encode(palette)), np.asarray(palette.convert("RGB")))


@given(st.integers(0, 255), st.integers(0, 255))
def test_transparency_is_shown_over_white(colour, alpha):
    pixel = np.array([[[colour, 0, 255, alpha]]], np.uint8)
    expected = pixel[..., :3] * (alpha / 255) + 255 * (1 - alpha / 255)
    for source in (pixel, encode(pixel), Image.fromarray(pixel)):
        result = read_image(source)
        assert np.abs(result - expected).max() <= 0.5 + 1e-9
        if alpha == 255:
            same(result, pixel[..., :3])


def test_transparency_in_other_modes():
    grey_alpha = np.stack([np.full((4, 4), 100), np.arange(16).reshape(4, 4) % 2 * 255], axis=2).astype(
        np.uint8
    )
    expected = np.where(grey_alpha[..., 1:] == 255, 100, 255).repeat(3, axis=2)
    same(read_image(encode(Image.fromarray(grey_alpha, "LA"))), expected)
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])
    same(read_image(encode(palette, transparency=1)), [[[10, 20, 30], [255, 255, 255]]])
    same(read_image(encode(palette, "GIF", transparency=1)), [[[10, 20, 30], [255, 255, 255]]])
    rgb = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    same(read_image(encode(rgb, transparency=(4, 5, 6))), [[[1, 2, 3], [255, 255, 255]]])


def test_sixteen_bits_are_scaled_not_clipped():
    grey = np.array([[0, 1, 128, 129, 257, 30_000, 65_534, 65_535]], np.uint16)
    expected = np.round(grey / 257).astype(np.uint8)
    assert expected[0, 5] == 117
    data = encode(Image.fromarray(grey))
    assert Image.open(io.BytesIO(data)).mode == "I;16"
    for source in (grey, data, encode(Image.fromarray(grey), "TIFF"), Image.fromarray(grey.astype(np.int32))):
        same(read_image(source), np.repeat(expected[..., None], 3, axis=2))
    with pytest.raises(ImageError, match="from -1 to 70000, more than 16 bits"):
        read_image(Image.fromarray(np.array([[-1, 70_000]], np.int32)))


def test_floating_point_tiff():
    picture = Image.fromarray(np.array([[0, 0.5, 1]], np.float32))
    same(read_image(encode(picture, "TIFF")), [[[0] * 3, [128] * 3, [255] * 3]])


def cmyk_jpeg(adobe: bool) -> bytes:
    """PIL stores CMYK inverted and with Adobe's marker (APP14), which is cut out for `adobe=False`."""
    data = encode(Image.fromarray(PHOTO).convert("CMYK"), "JPEG", quality=95)
    at = data.index(b"\xff\xee")
    assert data[at + 4 : at + 9] == b"Adobe"
    return data if adobe else data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_jpegs_are_taken_as_inverted(adobe):
    difference = read_image(cmyk_jpeg(adobe)).astype(int) - PHOTO
    assert abs(difference).mean() < 4


def test_cmyk_tiff_is_not_inverted():
    picture = Image.fromarray(NOISE).convert("CMYK")
    same(read_image(encode(picture, "TIFF")), NOISE)


def test_lab_and_profiles_do_not_stop_the_reading():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same(read_image(encode(NOISE, icc_profile=profile)), NOISE)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_picture_of_many(kind):
    frames = [Image.new("RGB", (4, 3), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    same(read_image(data), np.asarray(frames[0]))
    picture = Image.open(io.BytesIO(data))
    picture.seek(1)
    same(read_image(picture), np.asarray(frames[1]))


# --- arrays -------------------------------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([None, 1, 3, 4]), st.integers(0, 3))
def test_shapes_of_arrays(height, width, channels, views):
    shape = (height, width) if channels is None else (height, width, channels)
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    if channels == 4:
        array[..., 3] = 255
    expected = array[..., :3] if channels in (3, 4) else np.repeat(array.reshape(height, width, 1), 3, axis=2)
    strange = {
        0: array,
        1: np.asfortranarray(array),
        2: array[::-1, ::-1].copy()[::-1, ::-1],
        3: np.lib.stride_tricks.as_strided(array, shape, array.strides, writeable=False),
    }[views]
    same(read_image(strange), expected)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats(kind):
    same(read_image((NOISE / 255).astype(kind)), NOISE)
    same(read_image(torch.from_numpy((NOISE / 255).astype(kind))), NOISE)


def test_tensors_of_any_type():
    half = torch.full((2, 2, 3), 0.5, dtype=torch.bfloat16, requires_grad=True)
    same(read_image(half), np.full((2, 2, 3), 128))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((3, 20, 30), np.uint8), r"channels, height, width.*transpose\(1, 2, 0\)"),
        (torch.zeros(3, 20, 30), r"channels, height, width.*permute\(1, 2, 0\)"),
        (np.zeros((5, 20, 30, 3), np.uint8), "a batch of photos"),
        (np.zeros((20, 30, 2), np.uint8), "shape must be"),
        (np.zeros((20, 30, 5), np.uint8), "shape must be"),
        (np.zeros(30, np.uint8), "shape must be"),
        (np.float32(3), "shape must be"),
        (np.zeros((0, 30, 3), np.uint8), "empty"),
        (np.zeros((30, 0, 3), np.uint8), "empty"),
        (np.full((4, 4, 3), np.nan), "holds NaN"),
        (np.array([[0, np.inf]]), "from 0 to inf"),
        (np.array([[0, 255.0]]), "from 0 to 255.*0 … 1"),
        (np.array([[-0.1, 1]]), "from -0.1 to 1"),
        (np.zeros((4, 4, 3), np.int64), r"int64.*astype\(np.uint8\)"),
        (np.zeros((4, 4, 3), bool), "holds bool"),
        (torch.zeros(4, 4, 3, dtype=torch.bool), "holds bool"),
        (np.zeros((4, 4, 3), np.complex64), "holds complex64"),
        (np.full((4, 4, 3), None), "holds object"),
    ],
)
def test_arrays_that_are_no_photos(array, said):
    with pytest.raises(ImageError, match=said) as caught:
        read_image(array)
    assert str(caught.value).startswith(name_of(array))


@pytest.mark.parametrize("source", [None, 3, [NOISE], object(), {"a": 1}])
def test_things_that_are_no_photos(source):
    with pytest.raises(ImageError, match=f"{type(source).__name__} is not a photo: give a path"):
        read_image(source)


# --- whole or not at all ------------------------------------------------------------------------------------

KINDS = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("JPEG", {"quality": 95, "subsampling": 0, "restart_marker_rows": 1}),
    ("PNG", {}),
    ("GIF", {}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("PPM", {}),
    ("JPEG2000", {}),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("permissive", [False, True])
@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_no_prefix_of_a_file_gives_another_picture(kind, options, permissive, monkeypatch):
    """Refused, or (in formats whose last bytes hold no pixels) the whole picture; even where somebody has
    told PIL to let half a picture pass."""
    data = encode(PHOTO, kind, **options)
    whole = read_image(data)
    step = len(data) // 100 + 1
    for length in sorted({*range(0, 700, 23), *range(0, len(data), step), *range(len(data) - 12, len(data))}):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", permissive)
        got = picture_or_error(data[:length])
        if isinstance(got, str):
            assert any(said in got for said in ("Copy or download it again", "format", "is empty"))
        else:
            assert kind not in ("JPEG", "PNG"), length
            np.testing.assert_array_equal(got, whole)


def test_every_prefix_of_a_small_jpeg_is_refused():
    data = encode(NOISE, "JPEG")
    for length in range(len(data)):
        with pytest.raises(ImageError):
            read_image(data[:length])


def test_prefixes_of_a_real_photo_are_refused():
    data = HOPPER.read_bytes()
    for length in np.linspace(1, len(data) - 1, 60).astype(int):
        with pytest.raises(ImageError, match=r"cut short|format"):
            read_image(data[:length])


def test_pils_switch_is_switched_off_with_a_warning(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.warns(UserWarning, match="LOAD_TRUNCATED_IMAGES off"):
        read_image(encode(NOISE))
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_half_a_photo_as_a_lazy_pil_image_is_refused(monkeypatch):
    data = encode(PHOTO, "JPEG")
    picture = Image.open(io.BytesIO(data[: len(data) // 2]))
    with pytest.raises(ImageError, match="damaged or cut short"):
        read_image(picture)


def test_bytes_after_the_end_do_not_matter():
    """Phones append a film, depth maps, or zeros."""
    data = encode(PHOTO, "JPEG")
    whole = read_image(data)
    for junk in (b"\0" * 100, b"\xff\xd8\xff", os.urandom(1000), b"\xff" * 9):
        same(read_image(data + junk), whole)
    same(read_image(encode(NOISE) + b"junk"), NOISE)


def test_a_thumbnails_end_is_not_the_photos_end():
    """An EXIF block can hold a whole small JPEG, end mark included."""
    data, thumbnail = encode(PHOTO, "JPEG"), encode(NOISE, "JPEG")
    block = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail
    photo = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    same(read_image(photo), read_image(data))
    with pytest.raises(ImageError, match="cut short"):
        read_image(photo[:-2])


def test_fill_bytes_before_markers_are_allowed():
    """ITU-T T.81, B.1.1.2: any number of 0xFF may stand before a marker."""
    data = encode(PHOTO, "JPEG")
    filled = data[:2] + b"\xff\xff\xff" + data[2:-2] + b"\xff\xff" + data[-2:]
    same(read_image(filled), read_image(data))


def test_a_damaged_png_is_refused():
    data = bytearray(encode(PHOTO))
    data[len(data) // 2] ^= 1
    with pytest.raises(ImageError, match="checksum of its IDAT chunk"):
        read_image(bytes(data))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM"]), st.data())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damage_anywhere_gives_an_array_or_our_error(kind, data):
    content = bytearray(encode(NOISE, kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    got = picture_or_error(bytes(content), max_pixels=1_000_000)
    assert isinstance(got, str) or (got.dtype == np.uint8 and got.ndim == 3 and got.shape[2] == 3)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_junk_is_refused(junk):
    with pytest.raises(ImageError):
        read_image(junk)


# --- too large ----------------------------------------------------------------------------------------------


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def test_too_many_pixels_are_refused_before_decoding(monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)  # would fail if it were called
    with pytest.raises(ImageError, match=r"17×11 pixels, more than the limit of 186.*max_pixels=187"):
        read_image(encode(NOISE), max_pixels=186)
    with (
        pytest.raises(ImageError, match=r"11000×11000 pixels, more than the limit of 100,000,000"),
        pytest.warns(Image.DecompressionBombWarning),
    ):
        read_image(png_that_claims(11_000, 11_000))


def test_the_limit_itself_is_allowed():
    same(read_image(encode(NOISE), max_pixels=187), NOISE)


def test_decompression_bombs():
    with pytest.raises(ImageError, match=r"decompression bomb.*MAX_IMAGE_PIXELS"):
        read_image(png_that_claims(100_000, 100_000), max_pixels=10**12)


# --- files that are no photos -------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\n <!DOCTYPE html><html>404</html>", "web page"),
        (b"\xef\xbb\xbf<HTML>", "web page"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", r"HEIC.*Convert it to JPEG.*pillow-heif"),
        (b"hello", "not in a format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "not in a format"),
        (b"GIF89a", "damaged or cut short"),
        (b"II*\0junk", "damaged or cut short"),
    ],
)
def test_other_files_are_told_what_they_are(content, said, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=said) as caught:
        read_image(path)
    assert str(caught.value).startswith(str(path))


def test_paths_that_lead_nowhere(tmp_path):
    cases = {
        tmp_path / "none.jpg": "does not exist.*Check the path",
        tmp_path: "is a folder",
        "a\0b.jpg": "cannot be opened",
        "https://example.org/a.jpg": "web address",
        "": "does not exist",
        "x" * 5000: "cannot be opened|does not exist",
    }
    for path, said in cases.items():
        with pytest.raises(ImageError, match=said):
            read_image(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not an ordinary file"):
        read_image(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not an ordinary file"):
        read_image("/dev/zero")


def test_file_objects_that_cannot_be_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("text")
    with open(path) as stream, pytest.raises(ImageError, match="opened as text"):
        read_image(stream)
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(stream)


# --- names, threads, folders --------------------------------------------------------------------------------


def test_name_of(tmp_path):
    assert name_of("a/b.jpg") == "a/b.jpg"
    assert name_of(Path("a") / "지수.jpg") == str(Path("a/지수.jpg"))
    assert name_of("a\nb\x1b[31m.jpg") == "a\\nb\\x1b[31m.jpg"
    assert name_of(b"12345" * 1000) == "<5,000 bytes>"
    assert name_of(NOISE) == "<array (11, 17, 3) uint8>"
    assert name_of(torch.zeros(2, 3)) == "<tensor (2, 3) float32>"
    assert name_of(Image.fromarray(NOISE)) == "<PIL image 17×11 RGB>"
    assert name_of(io.BytesIO()) == "<BytesIO object>"
    path = tmp_path / "a.png"
    path.write_bytes(encode(NOISE))
    assert name_of(Image.open(path)) == str(path)
    with open(path, "rb") as stream:
        assert name_of(stream) == str(path)


def test_many_threads_at_once():
    data = [encode(np.roll(NOISE, i), "PNG") for i in range(8)] + [encode(PHOTO, "JPEG")[:-100]]

    with ThreadPoolExecutor(8) as pool:
        for i, picture in enumerate(pool.map(picture_or_error, data * 20)):
            if i % 9 == 8:
                assert "cut short" in picture
            else:
                same(picture, np.roll(NOISE, i % 9))


def test_walk_images(tmp_path):
    for name in (
        "b/2.JPG",
        "b/1.png",
        "a/x/3.webp",
        "a.jpeg",
        "c.txt",
        ".hidden/4.jpg",
        "b/._1.png",
        "d/e/f/5.heic",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "folder.jpg" / "6.bmp").touch()
    found = [path.relative_to(tmp_path).as_posix() for path in walk_images(str(tmp_path))]
    assert found == ["a/x/3.webp", "a.jpeg", "b/1.png", "b/2.JPG", "d/e/f/5.heic", "folder.jpg/6.bmp"]


def test_walking_does_not_go_round_in_circles(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "2.jpg").touch()
    try:
        (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "a" / "there").symlink_to(tmp_path / "other", target_is_directory=True)
        (tmp_path / "a" / "self.jpg").symlink_to(tmp_path / "a" / "self.jpg")
        (tmp_path / "a" / "gone.jpg").symlink_to(tmp_path / "none.jpg")
    except OSError:
        pytest.skip("this system lets only administrators make links")
    found = [path.relative_to(tmp_path).as_posix() for path in walk_images(tmp_path)]
    assert found == ["a/1.jpg", "a/there/2.jpg"]  # the folder `other` once, though two ways lead to it


def test_folders_that_all_link_to_each_other_are_walked_once(tmp_path):
    folders = [tmp_path / f"{k:02}" for k in range(12)]
    for folder in folders:
        folder.mkdir()
        (folder / "1.jpg").touch()
    try:
        for folder, other in itertools.permutations(folders, 2):
            (folder / f"to-{other.name}").symlink_to(other, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets only administrators make links")
    assert len(list(walk_images(tmp_path))) == 12  # the ways through them number 12! and more


def test_walking_is_lazy(tmp_path, monkeypatch):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").touch()
    listed = []
    real = os.scandir
    monkeypatch.setattr(images.os, "scandir", lambda path: (listed.append(Path(path).name), real(path))[1])
    walk = walk_images(tmp_path)
    assert listed == []
    next(walk)
    assert listed == [tmp_path.name, "a"]


def test_walking_what_is_no_folder(tmp_path):
    with pytest.raises(ImageError, match="does not exist"):
        walk_images(tmp_path / "none")
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ImageError, match="is a file, not a folder"):
        walk_images(tmp_path / "a.jpg")


def test_is_image_path():
    assert is_image_path("a.JPEG")
    assert is_image_path(Path("x/지수.png"))
    assert not is_image_path("a.txt")
    assert not is_image_path(".jpg")
    assert not is_image_path("a.jpg.part")
