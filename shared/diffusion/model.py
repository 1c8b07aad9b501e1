"""A loaded model: one job after the other, whatever happens to any of them."""

import gc
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from shared.contracts.scene import Stage
from shared.diffusion import families, frames, loading, memory
from shared.diffusion.failures import BlankOutput, BlockedOutput, Trouble
from shared.diffusion.families import Shape
from shared.diffusion.folder import ModelFolder
from shared.diffusion.frames import Pixels
from shared.diffusion.memory import Creep, Thrift
from shared.diffusion.previews import Previews
from shared.diffusion.prompts import Embeddings
from shared.diffusion.run import Brake, Outcome, run
from shared.diffusion.settings import Wanted
from shared.generator import Cancelled, DeviceLost, GenerationFailed, OnLoad, OnPreview, OnStep, Stopped
from shared.logs import get_logger
from shared.settings import SettingsError

log = get_logger(__name__)

_WARM_UPS = 2  #: runs until a compiled pipeline compiles no more


@dataclass(frozen=True, slots=True)
class Request:
    """What one run is to make."""

    prompt: str
    seed: int  #: the same request with the same seed gives the same pixels
    shape: Shape
    source: Image.Image | None = None  #: of a video: the image to start from, of the shape's size


class Model:
    """Owns a pipeline. `allocated` tells the bytes it holds on the device, and may be another gauge in a test."""

    def __init__(
        self,
        wanted: Wanted,
        folder: ModelFolder,
        on_load: OnLoad,
        typical: Shape,
        *,
        allocated: Callable[[str], int] = memory.allocated_bytes,
    ) -> None:
        """Load it. Raises `SettingsError` where there is no device for it, or too little memory for `typical`."""
        self.family = folder.family
        self.embeddings = Embeddings()
        self.previews = Previews(folder.family, wanted.preview_every)
        self._wanted = wanted
        self._folder = folder
        self._typical = typical
        self._allocated = allocated
        self._device = loading.find_device(wanted.device)
        self._dtypes = loading.find_dtypes(wanted, folder, self._device)
        self._thrift = Thrift(self._mode())
        self._recycle = False
        self._away = False
        if wanted.compile and shutil.which("cc") is None:
            raise SettingsError("COMPILE=true needs a C compiler: install gcc, or do without COMPILE")
        self._load(on_load)

    @property
    def thrift(self) -> Thrift:
        return self._thrift

    def make(self, request: Request, on_step: OnStep, cancelled: Cancelled, on_preview: OnPreview) -> Pixels:
        """The pixels: frames, rows, columns, colours. Raises `Stopped`, `GenerationFailed` or `DeviceLost`.

        What may go away by itself or in a cheaper mode is tried a second time, here; the attempt is not told.
        """
        if self._recycle:
            self._reload()
        outcome = self._once(request, on_step, cancelled, on_preview)
        if outcome.trouble in (Trouble.MEMORY, Trouble.BLANK) and self._mend(outcome):
            outcome = self._once(request, on_step, cancelled, on_preview)
        if outcome.stopped:
            raise Stopped
        if outcome.trouble:
            raise self._failure(outcome, request.shape)
        # Only after a whole run: one that was stopped never needed all of its memory.
        self._recycle = self._creeping.grown(self._allocated(self._device))
        made: Pixels = outcome.finished
        self.previews.finish(made)
        return made

    def leave_device(self) -> None:
        """Between jobs: move everything to host memory."""
        if self._device != "cpu" and not self._away:
            if self._thrift.mode == "resident":
                self.pipeline.to("cpu")
            else:
                self.pipeline.maybe_free_model_hooks()
            memory.release(self._device)
        self._away = True

    def take_device(self) -> None:
        """Come back. Raises `GenerationFailed` where there is no room any more."""
        if self._away and self._device != "cpu" and self._thrift.mode == "resident":
            text = ""
            try:
                self.pipeline.to(self._device)
            except Exception as error:  # noqa: BLE001 - whatever the driver raises where there is no room
                text = str(error)
            if text:
                self.pipeline.to("cpu")
                memory.release(self._device)
                raise GenerationFailed(
                    "out_of_memory",
                    "The model does not fit on the graphics card now, since another program uses its memory.",
                    retryable=True,
                    detail=text,
                )
        self._away = False

    # Loading.

    def _mode(self) -> memory.Mode:
        free = memory.free_bytes(self._device)
        if free is None:
            return "resident"
        needed = memory.need(loading.sizes(self._folder, self._dtypes), self._typical)
        mode = memory.choose(self._wanted.memory_mode, needed, free, self._wanted.model)
        log.info("memory_mode", mode=mode, free_gib=round(free / memory.GIB, 1), typical=str(self._typical))
        return mode

    def _load(self, on_load: OnLoad) -> None:
        self.pipeline = loading.load(self._folder, self._wanted, self._dtypes, on_load)
        self._thrift.apply(self.pipeline, self._device)
        self._brake = Brake(self.pipeline)
        self.embeddings.clear()
        self.embeddings.attach(self.pipeline)
        self._creeping = Creep()
        self._takes = set(loading.argument_names(self.pipeline))
        if self._wanted.compile:
            self._compile(on_load)
        # Hundreds of thousands of objects that will never be garbage: no collection need look at them again.
        gc.collect()
        gc.freeze()
        total = len(self._folder.weights) + 1
        on_load(total, total, "")

    def _compile(self, on_load: OnLoad) -> None:
        parts = len(self._folder.weights) + 1
        for part in memory.denoisers(self.pipeline):
            part.compile_repeated_blocks(fullgraph=True, dynamic=True)
        source = Image.new("RGB", (self._typical.width, self._typical.height), "grey")
        request = Request("", 0, self._typical, source if self.family.stage is Stage.VIDEO else None)
        for _ in range(_WARM_UPS):
            on_load(parts - 1, parts, "compiling")
            outcome = self._once(request, lambda fraction: None, lambda: False, lambda data: None)
            if outcome.trouble and outcome.trouble is not Trouble.BLANK:
                raise SettingsError(f"COMPILE=true failed with {self._wanted.model}: {outcome.text[:300]}")

    def _reload(self) -> None:
        log.warning("model_recycled", allocated=self._allocated(self._device))
        self._recycle = False
        del self.pipeline, self._brake
        gc.unfreeze()
        memory.release(self._device)
        self._load(lambda done, total, part: None)

    # One run.

    def _once(self, request: Request, on_step: OnStep, cancelled: Cancelled, on_preview: OnPreview) -> Outcome:
        """Run, and turn the output into pixels while the device still has it."""
        self.previews.begin()

        def step(number: int, count: int, latents: Any) -> None:
            # One part in as many as there are steps is left for decoding.
            on_step(number / (count + 1))
            self.previews.step(self.pipeline.scheduler, number, count, latents, request.shape, on_preview)

        return run(self.pipeline, self._arguments(request), self._brake, cancelled, step, _pixels)

    def _arguments(self, request: Request) -> dict[str, Any]:
        steps = self._wanted.steps or self.family.steps
        guidance = self.family.guidance if self._wanted.guidance is None else self._wanted.guidance
        found = families.arguments(self.family, request.shape, steps, guidance)
        # On the processor: the same numbers on every card.
        found["generator"] = torch.Generator("cpu").manual_seed(request.seed)
        if self.family.prompted:
            found["prompt"] = request.prompt
        if self.family.negative and (avoided := self._wanted.negative_prompt or self.family.least_negative):
            found["negative_prompt"] = avoided
        if request.source is not None:
            found["image"] = request.source
        return {name: value for name, value in found.items() if name in self._takes}

    # What may go wrong.

    def _mend(self, outcome: Outcome) -> bool:
        """Make a second try worth it, if anything can."""
        if outcome.trouble is Trouble.MEMORY:
            memory.release(self._device)
            cheaper = self._thrift.cheaper()
            if cheaper is None:
                return False
            log.warning("out_of_memory", mode=self._thrift.mode, retry_in=cheaper.mode, tiled=cheaper.tiled)
            cheaper.apply(self.pipeline, self._device, self._thrift)
            self._thrift = cheaper
            return True
        log.warning("blank_output", reason=outcome.text)
        # Too large numbers in the decoder are the usual reason.
        if self.family.decodes_in_float32:
            self.pipeline.vae.to(torch.float32)
        return True

    def _failure(self, outcome: Outcome, shape: Shape) -> Exception:
        detail = outcome.text[:20_000]
        if outcome.trouble is Trouble.DEVICE:
            return DeviceLost(detail)
        if outcome.trouble is Trouble.MEMORY:
            memory.release(self._device)
            smaller = families.smaller(self.family, shape)
            fitting = " or ".join(map(str, smaller[:2]))
            message = f"The graphics card has too little memory for {shape}."
            if fitting:
                message += f" Less is needed for {fitting}."
            area = shape.width * shape.height
            fits = next(((each.width, each.height) for each in smaller if each.width * each.height < area), None)
            return GenerationFailed("out_of_memory", message, retryable=False, detail=detail, fits=fits)
        if outcome.trouble is Trouble.BLANK:
            message = f"The model made an empty picture twice: {outcome.text}. Another seed or prompt may help."
            return GenerationFailed("blank_output", message, retryable=False, detail=detail)
        if outcome.trouble is Trouble.BLOCKED:
            message = "The model's safety checker held this picture back. Change the prompt or the seed."
            return GenerationFailed("blocked", message, retryable=False)
        message = f"The model stopped with an error: {outcome.text.partition(chr(10))[0][:300]}"
        return GenerationFailed("generator_error", message, retryable=True, detail=detail)


def _pixels(output: Any) -> Pixels:
    """Of what a pipeline gives, whatever its family calls it. Raises `BlankOutput` or `BlockedOutput`."""
    if any(getattr(output, "nsfw_content_detected", None) or ()):
        raise BlockedOutput
    made = output.images if hasattr(output, "images") else output.frames
    if empty := frames.blank(made):
        raise BlankOutput(empty)
    return frames.pixels(made)
