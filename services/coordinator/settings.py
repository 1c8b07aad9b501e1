"""What the coordinator is told, beside what every service is told."""

from typing import Annotated

from pydantic import Field

from services.coordinator.dispatch import Window
from shared.settings import ServiceSettings


class CoordinatorSettings(ServiceSettings):
    coordinator_host: str = "127.0.0.1"
    coordinator_port: Annotated[int, Field(ge=1, le=65535)] = 8700
    allowed_hosts: str = "127.0.0.1,localhost,[::1]"  #: names this service is reached by, separated by commas
    allowed_origins: str = ""  #: pages on other origins that may call it, separated by commas
    notifier_url: str = "ws://127.0.0.1:8701"  #: the socket's address, as browsers reach it
    database_url: str = "sqlite:///var/studio.db"
    #: of the bucket for browsers, where AWS_ENDPOINT_URL is not for them
    artifacts_public_endpoint: Annotated[str, Field(pattern=r"^(https?://[^/\s@]+)?$")] = ""
    signed_url_s: Annotated[int, Field(ge=10, le=604_800)] = 900  #: life of a link to a file in a bucket
    page_folder: str = "frontend/dist"  #: built files of the storyboard page

    window_image: Annotated[int, Field(ge=1, le=10_000)] = 32  #: jobs of one run on the image queue
    window_video: Annotated[int, Field(ge=1, le=10_000)] = 8
    tick_s: Annotated[float, Field(gt=0)] = 1  #: between looks at what waits
    lease_tick_s: Annotated[float, Field(gt=0, le=15)] = 5  #: between looks at leases and at lost messages
    lease_ticks: Annotated[int, Field(ge=2)] = 6  #: silent ticks after which a job is taken back
    contested_ticks: Annotated[int, Field(ge=1)] = 2  #: the same, once the broker gave its message to another worker
    lost_ticks: Annotated[int, Field(ge=2)] = 2  #: ticks after which a queued job without a message is published again

    min_free_bytes: Annotated[int, Field(ge=0)] = 1 << 30  #: of disk; with less nothing is dispatched
    keep_deleted_days: Annotated[float, Field(ge=1, le=36_500)] = 30  #: until a deleted project is removed for good
    collect_s: Annotated[float, Field(gt=0)] = 3600  #: between looks for such projects
    max_sentences: Annotated[int, Field(ge=1)] = 10_000  #: in a project
    max_body_bytes: Annotated[int, Field(ge=1024)] = 8 << 20  #: of a request

    @property
    def window(self) -> Window:
        return Window(image=self.window_image, video=self.window_video)
