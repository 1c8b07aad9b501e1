"""Video generator with a real model: the scene's image, and what is to happen in it, to a clip by diffusers."""

from PIL import Image, ImageOps

from services.video_worker.settings import VideoWorkerSettings
from services.video_worker.source import source_image
from shared.diffusion.start import job_shape, start
from shared.diffusion.wording import compose
from shared.generator import Cancelled, Job, OnLoad, OnPreview, OnStep, Rendered, Stopped
from shared.logs import get_logger

log = get_logger(__name__)


class Diffusers:
    """Implements `shared.generator.Generator`, `ShowsPreviews` and `SharesDevice` for the stage `video`.

    Size, length and speed are the nearest that the model can make; `Rendered` tells them.
    """

    def __init__(self, settings: VideoWorkerSettings, on_load: OnLoad) -> None:
        """Load the model. Raises `SettingsError`."""
        self._wanted = settings.wanted()
        self._model = start(self._wanted, on_load)
        self.name = self._wanted.name
        self.on_preview: OnPreview = lambda data: None

    def generate(self, job: Job, on_step: OnStep, cancelled: Cancelled) -> Rendered:
        """Make the clip. Raises `Stopped`, `GenerationFailed` or `DeviceLost`."""
        from shared.diffusion import frames
        from shared.diffusion.model import Request

        made = job_shape(self._wanted, self._model.family, job)
        if abs(made.frames / made.fps - job.seconds) >= 0.5 / made.fps or made.fps != job.fps:
            log.info("length_rounded", asked=f"{job.seconds:g} s at {job.fps}", made=f"{made.frames} at {made.fps}")
        # A model stretches an image of another shape; its edges are the lesser loss.
        source = ImageOps.fit(source_image(job.source), (made.width, made.height), Image.Resampling.LANCZOS)
        request = Request(compose(job.prompt, job.style), job.seed, made, source)
        shots = self._model.make(request, on_step, cancelled, self.on_preview)

        def check() -> None:
            if cancelled():
                raise Stopped

        rendered = frames.clip(shots, made.fps, check)
        on_step(1.0)
        return rendered

    def leave_device(self) -> None:
        self._model.leave_device()

    def take_device(self) -> None:
        self._model.take_device()
