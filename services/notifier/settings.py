"""What the notifier is told, beside what every service is told."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from shared.settings import ServiceSettings

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class NotifierSettings(ServiceSettings):
    notifier_host: str = "127.0.0.1"
    notifier_port: Annotated[int, Field(ge=1, le=65535)] = 8701
    allowed_origins: str = ""  #: pages beside those on this machine that may listen, separated by commas
    max_sockets: Annotated[int, Field(ge=1)] = 2000  #: open at once
    max_unsent_bytes: Annotated[int, Field(ge=64 << 10)] = 256 << 10  #: of one socket, before it is cut off

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, value: str) -> str:
        for origin in _split(value):
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.hostname or origin != _origin_of(origin):
                raise ValueError(f"{origin!r} is no origin; write it like http://studio.example:8700, without a path")
        return value

    def allows_page(self, origin: str) -> bool:
        """Whether a page from `origin`, the header's value, may listen."""
        try:
            parts = urlsplit(origin)
            on_this_machine = parts.scheme in ("http", "https") and parts.hostname in LOOPBACK
        except ValueError:
            return False
        return on_this_machine or origin.lower() in _split(self.allowed_origins)


def _split(origins: str) -> list[str]:
    return [origin.strip().lower() for origin in origins.split(",") if origin.strip()]


def _origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
