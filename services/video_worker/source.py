"""The image that a video starts from."""

import io
import math

from PIL import Image, ImageOps

from shared.generator import GenerationFailed


def source_image(data: bytes | None) -> Image.Image:
    """Upright, on black, in mode RGB. Raises `GenerationFailed` where there is none that can be read."""
    if not data:
        raise GenerationFailed("bad_source", "The scene has no image to make a video from.", retryable=False)
    try:
        with Image.open(io.BytesIO(data)) as file:
            # Pillow only warns up to twice its bound; a warning is no bound.
            if file.width * file.height > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise Image.DecompressionBombError(f"{file.width} x {file.height} pixels")
            picture = ImageOps.exif_transpose(file)
            flat = Image.new("RGBA", picture.size, "black")
            flat.alpha_composite(picture.convert("RGBA"))
            return flat.convert("RGB")
    # Pillow's many readers raise many kinds of errors on a damaged file; each means the same here.
    except Exception as error:
        message = "The scene's image cannot be read; make the image again."
        raise GenerationFailed(
            "bad_source", message, retryable=False, detail=f"{type(error).__name__}: {error}"
        ) from error
