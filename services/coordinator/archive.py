"""All files of a storyboard in story order, as one ZIP archive that is never whole in memory."""

import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from io import RawIOBase
from typing import Any

from shared.artifacts import ArtifactMissing, Artifacts, BadKey
from shared.contracts.scene import Artifact
from shared.logs import get_logger

log = get_logger(__name__)
WORDS = 6


class _Sink(RawIOBase):
    """What `zipfile` has written and nobody has fetched yet."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def fetch(self) -> bytes:
        pieces, self._pieces = b"".join(self._pieces), []
        return pieces


def archive(files: Sequence[tuple[int, str, Artifact]], artifacts: Artifacts) -> Iterator[bytes]:
    """The archive's bytes, from files given as (place, text, artifact). A missing file is left out."""
    digits = max(2, len(str(max(place for place, _, _ in files))))
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as made:
        for place, text, artifact in files:
            name = file_name(place, digits, text, artifact)
            pieces = artifacts.pieces(artifact.key)
            try:
                piece = next(pieces, b"")
            except (ArtifactMissing, BadKey) as error:
                log.error("artifact_missing", error=str(error))
                continue
            with made.open(zipfile.ZipInfo(name), "w", force_zip64=True) as target:
                while piece:
                    target.write(piece)
                    yield sink.fetch()
                    piece = next(pieces, b"")
    yield sink.fetch()


def file_name(place: int, digits: int, text: str, artifact: Artifact) -> str:
    """Such as `03-the-lighthouse-keeper.mp4`: sorts in story order, safe on every system."""
    ending = artifact.key.rpartition(".")[2]
    return f"{place:0{digits}d}-{slug(text) or 'scene'}.{ending}"


def archive_name(title: str) -> str:
    return f"{slug(title) or 'storyboard'}.zip"


def slug(text: str) -> str:
    """A few words in plain letters; empty where there are none."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain)[:WORDS])[:60]
