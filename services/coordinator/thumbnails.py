"""Small pictures for the wall and the list: made at the first look, kept beside their image, gone with its project."""

import io
from enum import IntEnum
from threading import BoundedSemaphore

from PIL import Image, UnidentifiedImageError

from shared.artifacts import ArtifactMissing, Artifacts
from shared.logs import get_logger

QUALITY = 80
FORMATS = ("PNG", "WEBP")
MEDIA_TYPE = "image/webp"

log = get_logger(__name__)
#: A wall that opens asks for twenty at once; runs and clicks must not wait behind them for the processor.
_making = BoundedSemaphore(2)


class SmallWidth(IntEnum):
    """Pixels that a small picture can be wide."""

    CARD = 480  #: a card of the wall on most screens
    SHARP_CARD = 960  #: the same on a screen of twice as many pixels


def has_thumbnail(key: str) -> bool:
    return key.endswith((".png", ".webp"))


def thumbnail(artifacts: Artifacts, key: str, width: SmallWidth) -> bytes | None:
    """The image `key` at most `width` pixels wide, as WebP; None where the image itself will do.

    Raises `ArtifactMissing`, `BadKey`, `StorageFailed`.
    """
    small = f"{key.rpartition('.')[0]}.w{width}.webp"
    try:
        return artifacts.read(small)
    except ArtifactMissing:
        pass
    with _making:
        made = _made_small(artifacts.read(key), width)
    if made:
        try:
            artifacts.put(small, made)
        except OSError as error:
            # A full disk: it is made again at the next look.
            log.warning("thumbnail_not_kept", key=small, error=str(error))
    return made


def _made_small(whole: bytes, width: int) -> bytes | None:
    try:
        with Image.open(io.BytesIO(whole), formats=FORMATS) as image:
            if image.width <= width:
                return None
            image.thumbnail((width, image.height), Image.Resampling.LANCZOS, reducing_gap=2)
            file = io.BytesIO()
            (image if image.mode in ("RGB", "RGBA") else image.convert("RGB")).save(
                file, "WEBP", quality=QUALITY, method=2
            )
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        # The browser may still make something of it.
        log.warning("thumbnail_not_made", error=str(error))
        return None
    return file.getvalue()
