"""An artifact as an answer: whole, a range of it, small, or the word that the browser has it already."""

import hashlib
import re
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from services.coordinator.errors import BadField
from services.coordinator.problems import problem_response
from services.coordinator.thumbnails import MEDIA_TYPE, SmallWidth, has_thumbnail, thumbnail
from shared.artifacts import ArtifactMissing, Artifacts, Bucket

YEAR_S = 365 * 24 * 3600
_RANGE = re.compile(r"bytes=(?:(?P<first>\d{1,18})-(?P<last>\d{0,18})|-(?P<suffix>\d{1,18}))", re.IGNORECASE)


def serve_artifact(request: Request, artifacts: Artifacts, key: str, signed_s: int) -> Response:
    """A file of a folder, or the way to one in a bucket. Raises `ArtifactMissing`, `BadKey`, `StorageFailed`."""
    if isinstance(artifacts, Bucket):
        # Kept by the browser for so long only that the rest of the signature's life is enough to fetch a video.
        headers = {"Cache-Control": f"private, max-age={signed_s // 3}"}
        return RedirectResponse(artifacts.signed_url(key, request.method, signed_s), 307, headers)
    path = artifacts.path(key)
    if not path.is_file():
        raise ArtifactMissing(key)
    return _serve_file(request, path, key)


def serve_thumbnail(request: Request, artifacts: Artifacts, key: str, width: SmallWidth, signed_s: int) -> Response:
    """An image made small, from wherever it lies; the image itself where it is small already.

    Raises `BadField` for a video, and what `serve_artifact` raises.
    """
    if not has_thumbnail(key):
        raise BadField("width", "Only images come in other widths.")
    headers = _headers(f"{key} {width}")
    if _known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    small = thumbnail(artifacts, key, width)
    if small is None:
        return serve_artifact(request, artifacts, key, signed_s)
    return Response(small, headers=headers, media_type=MEDIA_TYPE)


def _serve_file(request: Request, path: Path, key: str) -> Response:
    """Answer as RFC 9110 says: a range that makes no sense, or several at once, is the whole file."""
    headers = _headers(key)
    if _known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    size = path.stat().st_size
    wanted = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if wanted is None or (wanted["last"] and int(wanted["first"]) > int(wanted["last"])):
        request.scope["headers"] = [pair for pair in request.scope["headers"] if pair[0] != b"range"]
    elif "if-range" not in request.headers and _beyond(wanted, size):
        answer = problem_response(416, f"The file has {size:,} bytes.")
        answer.headers["Content-Range"] = f"bytes */{size}"
        return answer
    return FileResponse(path, headers=headers)


def _headers(name: str) -> dict[str, str]:
    """For bytes that `name` names for ever."""
    return {
        "ETag": f'"{hashlib.sha256(name.encode()).hexdigest()[:32]}"',
        "Cache-Control": f"private, max-age={YEAR_S}, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'",
    }


def _known(request: Request, etag: str) -> bool:
    """The browser has these bytes already."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in known.split(","))


def _beyond(wanted: re.Match[str], size: int) -> bool:
    return int(wanted["suffix"]) == 0 or not size if wanted["suffix"] else int(wanted["first"]) >= size
