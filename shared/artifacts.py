"""Where images and videos lie: immutable files, addressed by key, in one folder or in one S3 bucket."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from shared.logs import get_logger
from shared.settings import SettingsError

KEY = re.compile(r"[a-z0-9][a-z0-9/._-]{0,250}")
ENDPOINT = re.compile(r"https?://[^/\s@]+/?")
PIECE = 1 << 20  #: bytes of a file in a folder that are in memory at a time
S3_PIECE = 8 << 20  #: the same of one in a bucket, where each piece is a request
PARTS = 2  #: of a large file on their way to a bucket at a time: each must arrive within a request's 60 s

#: File endings by media type; everything else is refused, so that nothing is served that a browser runs.
ENDINGS = {"image/png": "png", "image/webp": "webp", "video/mp4": "mp4"}
_MEDIA_TYPES = {ending: media_type for media_type, ending in ENDINGS.items()}

log = get_logger(__name__)


class BadKey(ValueError):
    """Not a key that an artifact can have, such as one that points out of the folder."""


class ArtifactMissing(Exception):
    """No file lies under this key."""


class StorageFailed(OSError):
    """The bucket did not do what it was asked; `strerror` says why. Like a full disk it may be mended by waiting."""

    def __init__(self, reason: str, *, refused: bool) -> None:
        super().__init__(errno.EIO, reason)
        self.refused = refused  #: by a server that answered: waiting alone will not help


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

    def pieces(self, key: str) -> Iterator[bytes]:
        """The same, never whole in memory. Raises `ArtifactMissing` with the first piece."""
        try:
            file = self.path(key).open("rb")
        except FileNotFoundError as error:
            raise ArtifactMissing(f"the file {key} is missing from {self.root}") from error
        with file:
            while piece := file.read(PIECE):
                yield piece

    def remove_some(self, folder: str, limit: int) -> int:
        """Remove files whose keys begin with `folder/`, at most `limit`. Returns how many: 0 when none is left."""
        try:
            return _remove_some(self.path(folder), limit)
        except FileNotFoundError:
            return 0

    def free_bytes(self) -> int | None:
        """Of the disk; None where nobody counts them."""
        folder = self.root
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def path(self, key: str) -> Path:
        """Where `key` lies, always inside the folder. Raises `BadKey`."""
        path = self.root / _checked(key)
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise BadKey(f"a link out of the folder: {key[:80]!r}")
        return path


class Bucket:
    """Artifacts in a bucket of S3, or of a server that speaks as S3 does.

    Region, credentials and endpoint are the usual AWS_* variables. Browsers fetch the files there
    themselves, at `public_endpoint` where that is another address than the services use.
    Every method raises `StorageFailed` where the bucket does not do it.
    """

    def __init__(self, url: str, public_endpoint: str = "") -> None:
        parts = urlsplit(url)
        self.url = url
        bucket, prefix = parts.netloc, parts.path.strip("/")
        try:
            self._store = _s3(bucket, prefix, _endpoint())
            self._public = _s3(bucket, prefix, public_endpoint) if public_endpoint else self._store
        except BaseError as error:
            raise SettingsError(f"ARTIFACTS_URL={url} or one of AWS_*: {_first_line(error)}") from error

    def put(self, key: str, data: bytes) -> None:
        """Write the whole file or nothing."""
        # Browsers are told the type by the bucket, and take nothing for a page that has another one.
        media_type = _MEDIA_TYPES.get(_checked(key).rpartition(".")[2], "application/octet-stream")
        try:
            obstore.put(self._store, key, data, attributes={"Content-Type": media_type}, max_concurrency=PARTS)
        except (BaseError, FileNotFoundError) as error:
            raise self._failed(error) from error

    def read(self, key: str) -> bytes:
        """The file's bytes. Raises `ArtifactMissing`."""
        try:
            return bytes(obstore.get(self._store, _checked(key)).bytes())
        except (BaseError, FileNotFoundError) as error:
            raise self._missing(key, error) from error

    def pieces(self, key: str) -> Iterator[bytes]:
        """The same, never whole in memory. Raises `ArtifactMissing` with the first piece."""
        try:
            size = obstore.head(self._store, _checked(key))["size"]
            # One request each: a slow reader would let a single long one run into its time limit.
            for start in range(0, size, S3_PIECE):
                yield bytes(obstore.get_range(self._store, key, start=start, end=min(start + S3_PIECE, size)))
        except (BaseError, FileNotFoundError) as error:
            raise self._missing(key, error) from error

    def remove_some(self, folder: str, limit: int) -> int:
        """Remove files whose keys begin with `folder/`, at most `limit`. Returns how many: 0 when none is left."""
        try:
            found = next(iter(obstore.list(self._store, prefix=_checked(folder), chunk_size=limit)), [])
            if found:
                obstore.delete(self._store, [entry["path"] for entry in found])
        except (BaseError, FileNotFoundError) as error:
            raise self._failed(error) from error
        return len(found)

    def free_bytes(self) -> int | None:
        """Of the disk; None where nobody counts them."""
        return None

    def signed_url(self, key: str, method: str, life_s: int) -> str:
        """Where whoever has this URL may GET, or HEAD, the file until `life_s` seconds from now."""
        try:
            life = timedelta(seconds=life_s)
            return obstore.sign(self._public, "HEAD" if method == "HEAD" else "GET", _checked(key), life)
        except BaseError as error:
            raise self._failed(error) from error

    @property
    def origin(self) -> str:
        """Scheme, host and port of every signed URL."""
        parts = urlsplit(self.signed_url("origin", "GET", 60))
        return f"{parts.scheme}://{parts.netloc}"

    def check(self) -> None:
        """Raises `SettingsError` where bucket or credentials are refused; one that is silent now may answer later."""
        try:
            self.read("check")
        except ArtifactMissing:
            return
        except StorageFailed as error:
            if error.refused:
                raise SettingsError(
                    f"ARTIFACTS_URL={error.strerror}; look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
                    "AWS_REGION and AWS_ENDPOINT_URL, too"
                ) from error
            log.warning("storage_unreachable", error=error.strerror)

    def _missing(self, key: str, error: Exception) -> Exception:
        if isinstance(error, FileNotFoundError) and "<Code>NoSuchBucket<" not in str(error):
            return ArtifactMissing(f"the file {key} is missing from {self.url}")
        return self._failed(error)

    def _failed(self, error: Exception) -> StorageFailed:
        text = _first_line(error)
        status = re.search(r"status code: (4\d\d)", text)
        refused = status is not None and status[1] not in ("408", "429")
        if "/latest/api/token" in text:  # The last place where credentials are looked for: the machine's own role.
            return StorageFailed(f"{self.url} cannot be reached without credentials", refused=True)
        told = re.search(r"<Code>(\w+)</Code>.*?<Message>(.*?)\.?</Message>", str(error), re.DOTALL)
        reason = f"{told[2]} ({told[1]})" if told else text.rpartition(" - ")[2]
        return StorageFailed(f"{self.url}: {reason}", refused=refused)


Artifacts = Folder | Bucket


def open_artifacts(url: str, public_endpoint: str = "") -> Artifacts:
    """What ARTIFACTS_URL names. Raises `SettingsError` where it is a bucket that refuses us."""
    if not url.startswith("s3://"):
        return Folder(Path(url.removeprefix("file://").removeprefix("file:")))
    bucket = Bucket(url, public_endpoint)
    bucket.check()
    return bucket


def _checked(key: str) -> str:
    if not KEY.fullmatch(key) or any(part[:1] in ("", ".") for part in key.split("/")):
        raise BadKey(f"not an artifact key: {key[:80]!r}")
    return key


def _remove_some(folder: Path, limit: int) -> int:
    removed = 0
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            removed += _remove_some(folder / entry.name, limit - removed)
        else:
            (folder / entry.name).unlink(missing_ok=True)
            removed += 1
        if removed >= limit:
            return removed
    folder.rmdir()
    return removed


def _endpoint() -> str:
    """Of a server that is not Amazon's, or nothing. Raises `SettingsError`."""
    for name in [name for name, value in os.environ.items() if name.startswith("AWS_") and not value]:
        del os.environ[name]  # Containers are often given what is not set as empty, and obstore reads that as a value.
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if endpoint := os.environ.get(name):
            if not ENDPOINT.fullmatch(endpoint):
                raise SettingsError(f"{name}={endpoint}: use an address such as http://127.0.0.1:9000")
            return endpoint.rstrip("/")
    return ""


def _s3(bucket: str, prefix: str, endpoint: str) -> S3Store:
    return S3Store(
        bucket,
        prefix=prefix or None,
        config={"aws_endpoint_url_s3": endpoint} if endpoint else {},
        # What waits here hears no cancel, so waiting long is left to whoever asks again.
        client_options={"allow_http": endpoint.startswith("http://"), "connect_timeout": "5s", "timeout": "60s"},
        retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=10)},
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
