"""What the video worker is told, beside what every worker is told."""

from typing import Annotated

from pydantic import Field

from shared.diffusion.settings import VideoModelSettings
from shared.worker import WorkerSettings


class VideoWorkerSettings(WorkerSettings, VideoModelSettings):
    video_worker_host: str = "127.0.0.1"  #: of the probes and metrics
    video_worker_port: Annotated[int, Field(ge=0, le=65535)] = 8703  #: 0: any free one
