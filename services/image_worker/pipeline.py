"""Image generator with a real model: text to picture by diffusers."""

from services.image_worker.settings import ImageWorkerSettings
from shared.diffusion.start import job_shape, start
from shared.diffusion.wording import compose
from shared.generator import Cancelled, Job, OnLoad, OnPreview, OnStep, Rendered


class Diffusers:
    """Implements `shared.generator.Generator`, `ShowsPreviews` and `SharesDevice` for the stage `image`.

    The size is the nearest one that the model can make; `Rendered` tells it.
    """

    def __init__(self, settings: ImageWorkerSettings, on_load: OnLoad) -> None:
        """Load the model. Raises `SettingsError`."""
        self._wanted = settings.wanted()
        self._kind = settings.image_format
        self._model = start(self._wanted, on_load)
        self.name = self._wanted.name
        self.on_preview: OnPreview = lambda data: None

    def generate(self, job: Job, on_step: OnStep, cancelled: Cancelled) -> Rendered:
        """Make the picture. Raises `Stopped`, `GenerationFailed` or `DeviceLost`."""
        from shared.diffusion import frames
        from shared.diffusion.model import Request

        made = job_shape(self._wanted, self._model.family, job)
        request = Request(compose(job.prompt, job.style), job.seed, made)
        shots = self._model.make(request, on_step, cancelled, self.on_preview)
        rendered = frames.picture(shots[0], self._kind)
        on_step(1.0)
        return rendered

    def leave_device(self) -> None:
        self._model.leave_device()

    def take_device(self) -> None:
        self._model.take_device()
