"""Takes an archive apart into a folder: plain files only, and none outside of it."""

import stat
import tempfile
import zipfile
from pathlib import Path
from uuid import UUID

from client.api import BadInput, Studio, Unreachable


def prepare(folder: Path) -> None:
    """Make sure that files can be written there, before hours of work end at a closed door."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(f"--out {folder}: no files can be written there ({_reason(error)}).") from error


def download(studio: Studio, project_id: UUID, folder: Path) -> list[Path]:
    """All files of a project in story order. A file of the same name is replaced, others are left alone."""
    prepare(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".videogen-", dir=folder) as name:
            staging = Path(name)
            archive = staging / "archive"
            studio.export(project_id, archive)
            return unpack(archive, staging, folder)
    except OSError as error:
        raise BadInput(f"--out {folder}: writing the files failed ({_reason(error)}).") from error


def unpack(archive: Path, staging: Path, folder: Path) -> list[Path]:
    """Each file appears in `folder` whole or not at all. Raises `Unreachable` for an archive that is not ours."""
    written = []
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
            for entry in entries:
                _check(entry)
            if len({entry.filename.casefold() for entry in entries}) != len(entries):
                raise Unreachable("The studio's archive names a file twice; nothing was unpacked.")
            for place, entry in enumerate(entries):
                whole = staging / str(place)
                with opened.open(entry) as source, whole.open("xb") as target:
                    while piece := source.read(1 << 20):
                        target.write(piece)
                goal = folder / entry.filename
                whole.replace(goal)
                written.append(goal)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise Unreachable(f"The studio's archive is damaged ({error}); try `videogen export` again.") from error
    return written


def _check(entry: zipfile.ZipInfo) -> None:
    """A studio names its files `03-some-words.mp4`; whatever could lead elsewhere is not from one."""
    name = entry.filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    odd = any(character in '/\\:<>"|?*' or not character.isprintable() for character in name)
    if odd or not name or name.startswith(".") or len(name.encode()) > 255 or kind not in (0, stat.S_IFREG):
        raise Unreachable(f"The studio's archive holds {name[:100]!r}, which is no plain file; nothing was unpacked.")


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
