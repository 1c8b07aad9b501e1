"""What the image worker is told, beside what every worker is told."""

from typing import Annotated

from pydantic import Field

from shared.diffusion.settings import ImageModelSettings
from shared.worker import WorkerSettings


class ImageWorkerSettings(WorkerSettings, ImageModelSettings):
    image_worker_host: str = "127.0.0.1"  #: of the probes and metrics
    image_worker_port: Annotated[int, Field(ge=0, le=65535)] = 8702  #: 0: any free one
