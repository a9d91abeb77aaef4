"""Pictures from strangers: stills are checked, people's photos are made anew without metadata.

The only import site of Pillow in this room. Blocking, up to a second for a large photo: run it
in a thread.
"""

from io import BytesIO
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from alerts.evidence.errors import PhotoRefusedError, Refusal, StillError

MAX_BYTES: Final = 10 * 1024 * 1024
"""Of a photo or a still."""
MAX_PIXELS: Final = 40_000_000
"""Of a photo or a still: a few bytes can promise a picture that fills the memory."""

_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_SUFFIX: Final = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
_HEIF_BRANDS: Final = (b"heic", b"heix", b"hevc", b"heif", b"mif1", b"msf1", b"avif")
_QUALITY: Final = 88
_BROKEN: Final = (OSError, ValueError, SyntaxError, EOFError, MemoryError, Warning)
"""What Pillow's decoders raise; warnings where the process makes errors of them."""


def clean_photo(data: bytes) -> bytes:
    """A person's photo as an upright JPEG without metadata: no place, no device, no name.

    Raises:
        PhotoRefusedError: it is too large, no image, or one that cannot be read.

    """
    if len(data) > MAX_BYTES:
        raise PhotoRefusedError(Refusal.TOO_LARGE)
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        raise PhotoRefusedError(Refusal.HEIC)
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoRefusedError(Refusal.TOO_MANY_PIXELS)
            return _anew(image)
    except UnidentifiedImageError:
        raise PhotoRefusedError(Refusal.NO_IMAGE) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotoRefusedError(Refusal.TOO_MANY_PIXELS) from None
    except _BROKEN:
        raise PhotoRefusedError(Refusal.DAMAGED) from None


def check_still(data: bytes) -> tuple[str, str]:
    """Media type and file suffix of a camera's still, which is kept as it came.

    Raises:
        StillError: it is no whole image of a bearable size.

    """
    if len(data) > MAX_BYTES:
        msg = f"larger than {MAX_BYTES} bytes"
        raise StillError(msg)
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            kind, pixels = str(image.format), image.width * image.height
            if pixels > MAX_PIXELS:
                msg = f"{pixels} pixels are too many"
                raise StillError(msg)
            image.load()  # a picture that was cut off begins like a whole one
    except UnidentifiedImageError:
        msg = "not an image"
        raise StillError(msg) from None
    except (Image.DecompressionBombError, *_BROKEN) as error:
        msg = f"not a whole image: {error}"
        raise StillError(msg) from None
    return Image.MIME[kind], _SUFFIX[kind]


def printable(data: bytes, longest: int = 1280) -> bytes:
    """A kept picture as a JPEG small enough for paper; the same bytes for the same picture."""
    with Image.open(BytesIO(data), formats=_FORMATS) as image:
        image.thumbnail((longest, longest))
        return _jpeg(image)


def _anew(image: Image.Image) -> bytes:
    return _jpeg(ImageOps.exif_transpose(image))


def _jpeg(image: Image.Image) -> bytes:
    """Only the pixels, on white where they are transparent."""
    whole = image.convert("RGBA")
    paper = Image.new("RGB", whole.size, "white")
    paper.paste(whole, mask=whole.getchannel("A"))
    out = BytesIO()
    paper.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
