"""Where images and videos lie: immutable files, addressed by key, in one folder."""

import os
import re
from pathlib import Path
from uuid import uuid4

KEY = re.compile(r"[a-z0-9][a-z0-9/._-]{0,250}")

#: File endings by media type; everything else is refused, so that nothing is served that a browser runs.
ENDINGS = {"image/png": "png", "image/webp": "webp", "video/mp4": "mp4"}


class BadKey(ValueError):
    """Not a key that an artifact can have, such as one that points out of the folder."""


class ArtifactMissing(Exception):
    """No file lies under this key."""


class Folder:
    """Artifacts in a local folder, shared by the services of one machine."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def put(self, key: str, data: bytes) -> None:
        """Write the whole file or nothing, so that a reader or a power cut never meets half of one."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def read(self, key: str) -> bytes:
        """The file's bytes. Raises `ArtifactMissing`."""
        try:
            return self.path(key).read_bytes()
        except FileNotFoundError as error:
            raise ArtifactMissing(f"the file {key} is missing from {self.root}") from error

    def path(self, key: str) -> Path:
        """Where `key` lies, always inside the folder. Raises `BadKey`."""
        if not KEY.fullmatch(key) or any(part[:1] in ("", ".") for part in key.split("/")):
            raise BadKey(f"not an artifact key: {key[:80]!r}")
        path = self.root / key
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise BadKey(f"a link out of the folder: {key[:80]!r}")
        return path
