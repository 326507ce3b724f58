"""What the bytes of a photo are, and whether they are all there, before PIL decodes them."""

import re
import unicodedata
import zlib

from facelab.errors import ImageError

# Only these of PIL's formats are opened: some of the others start programs (EPS) or are no photos (ICO, WMF).
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000", "PPM", "AVIF")


_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")


def what_it_is(data: bytes) -> str:
    """What bytes are that PIL could not open, and what to do."""
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        return (
            "is a HEIC photo, which PIL reads only with a plug-in. Convert it to JPEG (an iPhone takes JPEGs "
            "when Settings › Camera › Formats is 'Most Compatible'), or run: pip install pillow-heif, and in "
            "Python: import pillow_heif; pillow_heif.register_heif_opener()"
        )
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "is a web page, not a photo, whatever its name says. Download the photo itself again."
    if start.startswith((b"<?xml", b"<svg")):
        return "is a drawing or a document in XML (SVG?), not a photo. Export it as PNG."
    if start.startswith(b"%pdf"):
        return "is a PDF document, not a photo. Export its page as PNG or JPEG."
    if data.startswith(_BEGINNINGS):
        return "begins like a photo but is damaged or cut short. Copy or download it again."
    return f"is not in a format that can be read ({', '.join(FORMATS)}). Save it as JPEG or PNG."


def check_whole(data: bytes, name: str) -> None:
    """Follows JPEG and PNG files to their end marks. PIL's decoders check less (of a PNG's pixels, no
    checksum), and nothing while another part of the program has their strictness switched off."""
    if data.startswith(b"\xff\xd8"):
        whole = _jpeg_ends(data)
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        whole = _png_ends(data, name)
    else:
        return
    if not whole:
        raise ImageError(
            f"{name} is cut short: its {len(data):,} bytes end before the photo does. Copy or download it "
            "again."
        )


_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
"""A marker, but none of those without content that may stand anywhere: filling, stuffing, restarts."""


def _jpeg_ends(data: bytes) -> bool:
    """Whether the JPEG reaches its own end mark (ITU-T T.81, Annex B).

    An end mark inside a segment, a thumbnail's, does not count; bytes after the end, which phones append, do
    not matter.
    """
    position = 2
    while marker := _JPEG_MARKER.search(data, position):
        if marker[1] == b"\xd9":
            return True
        # Every other marker opens a segment of stated length. After the one that opens a scan (0xDA) come
        # compressed data, in which the next search finds the next marker.
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return False


def _png_ends(data: bytes, name: str) -> bool:
    """Whether the PNG reaches its IEND chunk; the checksums of the critical chunks are checked on the way."""
    position = 8
    while position + 12 <= len(data):
        kind = data[position + 4 : position + 8]
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if end + 4 > len(data):
            return False
        checksum = int.from_bytes(data[end : end + 4], "big")
        if kind[:1].isupper() and zlib.crc32(data[position + 4 : end]) != checksum:
            raise ImageError(
                f"{name} is damaged: the checksum of its {printable(kind.decode('latin-1'))} chunk at byte "
                f"{position:,} is wrong. Copy or download it again."
            )
        if kind == b"IEND":
            return True
        position = end + 4
    return False


def printable(text: str) -> str:
    """Control characters and undecodable bytes as escapes: a message must fit on one line of any terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if unicodedata.category(c) not in ("Cc", "Cs") else c.encode("unicode_escape").decode()
        for c in text
    )
