"""Where a model's weights are while it works, and how much memory is left."""

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from shared.diffusion.families import Shape
from shared.diffusion.settings import MemoryMode
from shared.settings import SettingsError

Mode = Literal["resident", "model_offload", "group_offload"]

GIB = 2**30

_DENOISERS = ("transformer", "transformer_2", "unet")


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes on the device at the peak of a run, in each mode; the room beside the weights is estimated."""

    resident: int
    model_offload: int
    group_offload: int

    def of(self, mode: Mode) -> int:
        needed: int = getattr(self, mode)
        return needed


def need(weights: Mapping[str, int], shape: Shape) -> Need:
    """`weights` are the bytes of each component, as they are loaded.

    Beside the weights lie the decoder's planes of one frame and something for every pixel of the whole clip.
    """
    frame = shape.width * shape.height
    room = 3 * GIB // 4 + 1024 * frame + 60 * frame * shape.frames
    heaviest = max(weights.values(), default=0)
    # The largest part is no decoder: less than half of the room is needed beside it.
    alone = max(heaviest + room * 2 // 5, weights.get("vae", 0) + room)
    return Need(sum(weights.values()) + room, alone, GIB + room)


def choose(wanted: MemoryMode, needed: Need, free: int, model: str) -> Mode:
    """The fastest mode that fits `free` bytes, or the wanted one. Raises `SettingsError` where none does."""
    order: tuple[Mode, ...] = ("resident", "model_offload", "group_offload")
    for mode in order if wanted == "auto" else (wanted,):
        if needed.of(mode) <= free:
            return mode
    least: Mode = "group_offload" if wanted == "auto" else wanted
    raise SettingsError(
        f"{model} needs about {needed.of(least) / GIB:.1f} GiB of free GPU memory ({least}) and {free / GIB:.1f} GiB "
        "are free: end other programs on the card, ask for a smaller size, "
        + ("or choose a smaller model" if wanted == "auto" else "or set MEMORY_MODE=auto")
    )


def free_bytes(device: str) -> int | None:
    """Free memory of the device; None where it shares the processor's."""
    if not device.startswith("cuda"):
        return None
    free: int = torch.cuda.mem_get_info(device)[0]
    return free


def allocated_bytes(device: str) -> int:
    """What this process holds on the device."""
    return int(torch.cuda.memory_allocated(device)) if device.startswith("cuda") else 0


def release(device: str) -> None:
    """Give back what nothing refers to any more. Takes a while: for after a failure, not for after every job."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()


def place(pipeline: Any, mode: Mode, device: str) -> None:
    """Put the pipeline where `mode` says, from wherever it is."""
    if mode == "resident":
        pipeline.to(device)
        return
    pipeline.remove_all_hooks()
    pipeline.to("cpu")
    if mode == "model_offload":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_group_offload(
            onload_device=torch.device(device),
            offload_type="leaf_level",
            use_stream=device.startswith("cuda"),
        )


@dataclass(frozen=True, slots=True)
class Thrift:
    """How sparingly a pipeline uses the device's memory."""

    mode: Mode
    tiled: bool = False  #: pictures are decoded in tiles

    def cheaper(self) -> "Thrift | None":
        """The next step that costs time and saves memory; None at the end."""
        if self.mode == "resident":
            return Thrift("model_offload", tiled=True)
        if self.mode == "model_offload":
            return Thrift("group_offload", tiled=True)
        return None if self.tiled else Thrift(self.mode, tiled=True)

    def apply(self, pipeline: Any, device: str, before: "Thrift | None" = None) -> None:
        if before is None or before.mode != self.mode:
            place(pipeline, self.mode, device)
        if self.tiled and hasattr(pipeline.vae, "enable_tiling"):
            pipeline.vae.enable_tiling()


class Creep:
    """Notices memory that grows from job to job, by the level after the first one."""

    def __init__(self, share: float = 0.05, least: int = 500 * 2**20) -> None:
        self._share = share
        self._least = least
        self._level: int | None = None
        self._over = 0

    def grown(self, allocated: int) -> bool:
        """True once two jobs in a row have ended well above the level; told after every job."""
        if self._level is None:
            self._level = allocated
            return False
        over = allocated > self._level + max(self._least, int(self._level * self._share))
        self._over = self._over + 1 if over else 0
        return self._over >= 2


def denoisers(pipeline: Any) -> list[Any]:
    """The parts that every step runs."""
    return [part for name in _DENOISERS if (part := getattr(pipeline, name, None)) is not None]
