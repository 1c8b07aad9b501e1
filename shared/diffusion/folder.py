"""What lies in a model's folder, and whether it may be loaded: read before the slow imports, and nothing of it is run.

Weights are safetensors. A pickle runs code as it is opened, and a repository's own Python would, too: both are refused.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from shared.contracts.scene import Stage
from shared.diffusion import families
from shared.diffusion.families import Family
from shared.diffusion.settings import Wanted
from shared.settings import SettingsError

INDEX = "model_index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5")

_LIBRARIES = ("diffusers", "transformers", "stable_diffusion")  #: that a component's class may come from
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2}  #: per number; 1 for the rest
_FLOATS = ("F64", "F32", "F16", "BF16")
_HEADER_LIMIT = 100_000_000  #: bytes, as safetensors itself has it


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on this machine that may be loaded."""

    path: Path
    family: Family
    components: tuple[str, ...]  #: in the order of the index: everything that has a class
    weights: dict[str, int]  #: floating-point numbers in each component that has any


def find(wanted: Wanted) -> ModelFolder:
    """The model that is wanted, from a folder or from what was downloaded. Raises `SettingsError`."""
    variable = wanted.variable("MODEL")
    named = f"{variable}={wanted.model}"
    path = located(wanted.model, wanted.revision, variable)
    index = read_index(path, named)
    return _read(path, index, check_index(index, wanted.stage, named), named)


def located(name: str, revision: str | None, variable: str) -> Path:
    """The folder of a model or LoRA by its name. Never touches the network. Raises `SettingsError`."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path.resolve()
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise SettingsError(f"{variable}={name}: there is no such folder, and a repository's name is `owner/name`")
    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    # Whatever the hub's client makes of a name that it does not have: it is not there.
    except Exception as error:
        at = f" at {revision}" if revision else ""
        raise SettingsError(
            f"{variable}={name}{at} is not on this machine: run `make models` to download it, or name a folder"
        ) from error


def read_index(path: Path, named: str) -> dict[str, Any]:
    """What a model says of itself. Raises `SettingsError`."""
    try:
        index = json.loads((path / INDEX).read_text())
    except FileNotFoundError as error:
        raise SettingsError(
            f"{named} is not a diffusers model: {path} has no {INDEX} (a single .safetensors file is not enough)"
        ) from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{named} is damaged: {INDEX} cannot be read: {error}") from error
    if not isinstance(index, dict):
        raise SettingsError(f"{named} is damaged: {INDEX} is not an object")
    return index


def check_index(index: dict[str, Any], stage: Stage, named: str) -> Family:
    """The model's family. Raises `SettingsError` where it must not, or cannot, be loaded for `stage`."""
    owned = [name for name, (library, _) in components(index) if library not in _LIBRARIES]
    if owned or isinstance(index.get("_class_name"), list):
        raise SettingsError(f"{named} wants to run Python code of its own, which is never done: choose another model")
    family = families.find(index)
    if family is None:
        known = ", ".join(one.name for one in families.FAMILIES if one.stage is stage)
        raise SettingsError(f"{named} is a {index.get('_class_name')}, which is not supported; supported are {known}")
    if family.stage is not stage:
        raise SettingsError(f"{named} is {family.name}, which makes {family.stage}s: set {family.stage.upper()}_MODEL")
    return family


def components(index: dict[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Name, library and class of every part that is not left out."""
    for name, value in index.items():
        if not name.startswith("_") and isinstance(value, list) and len(value) == 2 and value[0]:
            yield name, (value[0], value[1])


def _read(path: Path, index: dict[str, Any], family: Family, named: str) -> ModelFolder:
    names, weights = [], {}
    for name, _ in components(index):
        folder = path / name
        if not folder.is_dir():
            raise SettingsError(f"{named} is incomplete: its part {name} is missing; run `make models` again")
        names.append(name)
        # Schedulers, tokenizers and the like call their configuration otherwise, and have no weights.
        if (folder / "config.json").is_file():
            weights[name] = _numbers(folder, named, name)
    return ModelFolder(path, family, tuple(names), weights)


def _numbers(folder: Path, named: str, component: str) -> int:
    files = weight_files(folder)
    if not files:
        pickles = [file.name for file in folder.iterdir() if file.suffix in PICKLES]
        if pickles:
            raise SettingsError(
                f"{named} has its {component} as {pickles[0]}, which can run code as it is opened: "
                "only safetensors are loaded; choose a version with those"
            )
        raise SettingsError(f"{named} is incomplete: the weights of {component} are missing; run `make models` again")
    numbers = 0
    for file in files:
        try:
            numbers += _numbers_of(file)
        except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
            raise SettingsError(
                f"{named} is damaged: {component}/{file.name} is missing or cut off; run `make models` again"
            ) from error
    return numbers


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold one component: those its index names, or its only one."""
    for index in sorted(folder.glob("*.safetensors.index.json")):
        if "." not in index.name.removesuffix(".safetensors.index.json"):
            return [folder / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]
    # `model.fp16.safetensors` is another precision of the same weights.
    return [file for file in sorted(folder.glob("*.safetensors")) if "." not in file.stem]


def _numbers_of(file: Path) -> int:
    """Floating-point numbers in a safetensors file. Raises `ValueError` where the file is not whole."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        if length > _HEADER_LIMIT:
            raise ValueError("not safetensors")
        header = json.loads(opened.read(length))
    tensors = [value for name, value in header.items() if name != "__metadata__"]
    end = max((tensor["data_offsets"][1] for tensor in tensors), default=0)
    if file.stat().st_size < 8 + length + end:
        raise ValueError("cut off")
    return sum(
        (tensor["data_offsets"][1] - tensor["data_offsets"][0]) // _BYTES.get(tensor["dtype"], 1)
        for tensor in tensors
        if tensor["dtype"] in _FLOATS
    )


def lora_file(wanted: Wanted) -> Path:
    """The safetensors file of the wanted LoRA. Raises `SettingsError`."""
    variable = wanted.variable("LORA")
    name, _, chosen = wanted.lora.partition(":")
    path = located(name, None, variable)
    found = [path / chosen] if chosen else sorted(path.glob("*.safetensors"))
    if len(found) > 1:
        names = ", ".join(file.name for file in found[:5])
        raise SettingsError(f"{variable}={wanted.lora} holds several: name one as `{name}:FILE`, of {names}")
    if not found or found[0].suffix != ".safetensors" or not found[0].is_file():
        raise SettingsError(f"{variable}={wanted.lora} holds no such .safetensors file, and nothing else is loaded")
    return found[0]
