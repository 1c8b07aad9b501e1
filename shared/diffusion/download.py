"""`make models`: download what IMAGE_MODEL and VIDEO_MODEL name, once; the workers never touch the network for it.

Only what is loaded is fetched: the parts that the model's index names, as safetensors, in one precision. A pickle never
reaches the disk.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from pydantic import ValidationError

from shared.diffusion.folder import INDEX, check_index, components
from shared.diffusion.settings import ImageModelSettings, VideoModelSettings, Wanted
from shared.settings import SettingsError

GIB = 2**30
SPARE_BYTES = 2 * GIB  #: stay free after a download

_TEXTS = (".json", ".txt", ".model", ".jinja")


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be fetched of one repository."""

    repository: str
    revision: str | None
    files: tuple[str, ...]
    total: int  #: bytes
    missing: int  #: bytes that are not on this machine yet
    licence: str

    def __str__(self) -> str:
        at = f" at {self.revision}" if self.revision else ""
        there = ", all of it here" if not self.missing else f", {self.missing / GIB:.1f} GiB to download"
        return f"{self.repository}{at}: {self.total / GIB:.1f} GiB{there}; licence {self.licence}"


def needed(index: dict[str, object], files: Iterable[str]) -> list[str]:
    """Of a model's files those that are loaded: texts and safetensors of its parts, without other precisions."""
    parts = [name for name, _ in components(index)]
    return [INDEX, *(file for file in files if file.rpartition("/")[0] in parts and _is_loaded(file))]


def _is_loaded(file: str) -> bool:
    name = file.rpartition("/")[2]
    for ending in (".safetensors", ".safetensors.index.json"):
        if name.endswith(ending):
            # `model.fp16.safetensors` is another precision of the same weights.
            return "." not in name.removesuffix(ending)
    return name.endswith(_TEXTS) and not name.endswith(".index.json")


def model_parcel(wanted: Wanted) -> Parcel:
    """Ask the hub, and fetch the index alone. Raises `SettingsError`, `HfHubHTTPError` or `OSError`."""
    named = f"{wanted.variable('MODEL')}={wanted.model}"
    index = json.loads(Path(hf_hub_download(wanted.model, INDEX, revision=wanted.revision)).read_text())
    check_index(index, wanted.stage, named)
    return _parcel(wanted.model, wanted.revision, lambda files: needed(index, files))


def lora_parcel(wanted: Wanted) -> Parcel:
    repository, _, chosen = wanted.lora.partition(":")
    return _parcel(
        repository, None, lambda files: [file for file in files if file == (chosen or file) and _is_tensors(file)]
    )


def _is_tensors(file: str) -> bool:
    return file.endswith(".safetensors") and "/" not in file


def _parcel(repository: str, revision: str | None, choose: Callable[[Iterable[str]], list[str]]) -> Parcel:
    info = HfApi().model_info(repository, revision=revision, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    files = choose(sizes)
    here = [file for file in files if isinstance(try_to_load_from_cache(repository, file, revision=info.sha), str)]
    total = sum(sizes.get(file, 0) for file in files)
    card = info.card_data
    licence = (card.get("license_name") or card.get("license")) if card else None
    return Parcel(
        repository,
        revision,
        tuple(files),
        total,
        total - sum(sizes.get(file, 0) for file in here),
        f"{licence or 'not stated'} (https://huggingface.co/{repository})",
    )


def parcels(settings: Iterable[Wanted]) -> list[Parcel]:
    """Everything that is named and is no folder of this machine."""
    found: list[Parcel] = []
    for wanted in settings:
        if not Path(wanted.model).expanduser().is_dir():
            found.append(model_parcel(wanted))
        if wanted.lora and not Path(wanted.lora.partition(":")[0]).expanduser().is_dir():
            found.append(lora_parcel(wanted))
    return found


def check_disk(missing: int, folder: Path) -> None:
    """Raises `SettingsError` where the download would fill the disk."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if missing and missing + SPARE_BYTES > free:
        raise SettingsError(
            f"the download needs {(missing + SPARE_BYTES) / GIB:.1f} GiB and {free / GIB:.1f} GiB are free in {folder}"
            ": make room, or name a folder on another disk with HF_HOME"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make models", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=("image", "video"), help="one of the two")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="say what would be downloaded, and stop")
    options = parser.parse_args()
    try:
        wanted = [ImageModelSettings().wanted(), VideoModelSettings().wanted()]
        return _download([one for one in wanted if options.only in (None, one.stage)], options)
    except SettingsError as error:
        print(f"models: {error}", file=sys.stderr)
    except ValidationError as error:
        for wrong in error.errors():
            print(f"models: {'.'.join(map(str, wrong['loc'])).upper()}: {wrong['msg']}", file=sys.stderr)
    except GatedRepoError as error:
        print(f"models: {_named(error)} asks for consent: accept its terms there and set HF_TOKEN", file=sys.stderr)
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        print(f"models: there is no {_named(error)}, or it needs HF_TOKEN", file=sys.stderr)
    except (HfHubHTTPError, OSError) as error:
        print(f"models: the hub could not be reached: {str(error).partition(chr(10))[0]}", file=sys.stderr)
    return 1


def _named(error: HfHubHTTPError) -> str:
    return str(error.response.url).partition("/resolve/")[0] if error.response is not None else "such model"


def _download(wanted: list[Wanted], options: argparse.Namespace) -> int:
    found = parcels(wanted)
    for parcel in found:
        print(parcel)
    missing = sum(parcel.missing for parcel in found)
    cache = Path(constants.HF_HUB_CACHE)
    check_disk(missing, cache)
    if options.dry_run:
        return 0
    if missing and not options.yes and not _agreed(missing, cache):
        print("models: nothing was downloaded", file=sys.stderr)
        return 1
    for parcel in found:
        path = snapshot_download(parcel.repository, revision=parcel.revision, allow_patterns=list(parcel.files))
        print(f"{parcel.repository} is in {path}")
    return 0


def _agreed(missing: int, folder: Path) -> bool:
    if not sys.stdin.isatty():
        print("models: nobody is here to ask; say MODELS_ARGS=--yes", file=sys.stderr)
        return False
    return input(f"Download {missing / GIB:.1f} GiB to {folder}? [y/N] ").strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main())
