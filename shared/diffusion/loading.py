"""From a model's folder to a pipeline: part by part, without the network, safetensors only, nobody else's code."""

import importlib
import inspect
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from shared.diffusion.folder import ModelFolder, lora_file
from shared.diffusion.settings import Wanted
from shared.generator import OnLoad
from shared.logs import get_logger
from shared.settings import SettingsError

log = get_logger(__name__)

diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


def find_device(wanted: str) -> str:
    """The device to run on. Raises `SettingsError` where it is not there."""
    kind, _, number = wanted.partition(":")
    if wanted == "cpu":
        return "cpu"
    if kind in ("auto", "cuda") and torch.cuda.is_available():
        if int(number or 0) >= torch.cuda.device_count():
            raise SettingsError(f"DEVICE={wanted}: this machine has {torch.cuda.device_count()} GPU(s), counted from 0")
        return f"cuda:{number or 0}"
    for other, present in (("mps", torch.backends.mps.is_available()), ("xpu", torch.xpu.is_available())):
        if kind in ("auto", other) and present:
            return other
    reason = "this PyTorch was built without CUDA" if torch.version.cuda is None else "PyTorch finds no GPU"
    raise SettingsError(
        f"BACKEND=diffusers needs a GPU, and {reason}: install the driver and the PyTorch build for your card, set "
        "DEVICE=cpu if you can wait hours for a video, or use BACKEND=animatic, which needs none"
    )


def find_dtypes(wanted: Wanted, folder: ModelFolder, device: str) -> dict[str, Any]:
    """The number format of each component; `default` for those that are not named."""
    usual = torch.float32 if device == "cpu" else torch.bfloat16
    dtypes = {"default": _DTYPES.get(wanted.dtype, usual)}
    if folder.family.vae_in_float32:
        dtypes["vae"] = torch.float32
    return dtypes


def sizes(folder: ModelFolder, dtypes: Mapping[str, Any]) -> dict[str, int]:
    """Bytes of each component's weights once they are loaded."""
    return {name: count * dtypes.get(name, dtypes["default"]).itemsize for name, count in folder.weights.items()}


def load(folder: ModelFolder, wanted: Wanted, dtypes: Mapping[str, Any], on_load: OnLoad) -> Any:
    """The pipeline, in host memory. Raises `SettingsError` where its parts do not fit together."""
    started = time.monotonic()
    parts = [name for name in folder.components if name in folder.weights]
    named = f"{wanted.variable('MODEL')}={wanted.model}"
    loaded: dict[str, Any] = {}
    try:
        pipeline_class = getattr(diffusers, folder.family.pipeline)
        index = pipeline_class.load_config(folder.path)
        for number, name in enumerate(parts):
            on_load(number, len(parts) + 1, name.replace("_", " "))
            part_class = _class_of(*index[name])
            if part_class is not None:
                loaded[name] = _part(part_class, folder.path, name, dtypes.get(name, dtypes["default"]))
        on_load(len(parts), len(parts) + 1, "pipeline")
        pipeline = pipeline_class.from_pretrained(
            str(folder.path),
            dtype=dict(dtypes),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            **loaded,
        )
    # Loaders raise whatever went wrong in them; to the operator it is one thing.
    except Exception as error:
        raise SettingsError(f"{named} cannot be loaded: {type(error).__name__}: {str(error)[:500]}") from error
    pipeline.set_progress_bar_config(disable=True)
    if wanted.lora:
        _merge_lora(pipeline, wanted)
    _set_guidance(pipeline, folder, wanted)
    log.info("model_loaded", model=wanted.model, family=folder.family.name, took_s=round(time.monotonic() - started, 2))
    return pipeline


def _class_of(library: str, name: str) -> Any:
    """None: one that only the pipeline itself knows how to load."""
    return getattr(importlib.import_module(library), name) if library in ("diffusers", "transformers") else None


def _part(part_class: Any, path: Path, name: str, dtype: Any) -> Any:
    part, info = part_class.from_pretrained(
        str(path), subfolder=name, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
    )
    if info.get("missing_keys"):
        # They would be random numbers: the picture would be noise, and nothing would say why.
        missing = sorted(info["missing_keys"])
        raise ValueError(f"{name} lacks {len(missing)} of its weights, such as {missing[0]}")
    return part.eval().requires_grad_(False)


def _merge_lora(pipeline: Any, wanted: Wanted) -> None:
    """Into the weights, so that a step costs what it did before."""
    file = lora_file(wanted)
    try:
        pipeline.load_lora_weights(
            str(file.parent), weight_name=file.name, local_files_only=True, use_safetensors=True, adapter_name="lora"
        )
        if not pipeline.get_list_adapters():
            raise ValueError("none of its weights belongs to a part of this model")
        pipeline.fuse_lora(lora_scale=wanted.lora_scale)
        pipeline.unload_lora_weights()
    except Exception as error:
        raise SettingsError(
            f"{wanted.variable('LORA')}={wanted.lora} does not fit {wanted.model}: {str(error)[:300]}"
        ) from error


def _set_guidance(pipeline: Any, folder: ModelFolder, wanted: Wanted) -> None:
    """For families that are told at the start, and not in the call."""
    guider = getattr(pipeline, "guider", None)
    if guider is not None and not folder.family.guidance_argument:
        guidance = folder.family.guidance if wanted.guidance is None else wanted.guidance
        with suppress(AttributeError):
            guider.guidance_scale = guidance


def argument_names(pipeline: Any) -> list[str]:
    """What the pipeline can be called with: families differ."""
    return list(inspect.signature(pipeline.__call__).parameters)
