"""What every service is told by its environment."""

import ipaddress
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment asks for something that cannot be, or must not be; names the variable."""


def _sendable(token: SecretStr) -> SecretStr:
    """Headers carry nothing else, and a short token is guessed."""
    value = token.get_secret_value()
    if len(value) < 8 or not all("!" <= character <= "~" for character in value):
        raise ValueError("use at least 8 letters, digits and signs of plain ASCII, without spaces")
    return token


class ServiceSettings(BaseSettings):
    """Read from variables of the same names in capitals; unknown variables are not ours."""

    model_config = SettingsConfigDict(extra="ignore")

    amqp_url: Annotated[str, Field(pattern=r"^amqps?://\S+$")] = "amqp://guest:guest@127.0.0.1:5672/"  #: of the broker
    artifacts_url: str = "var/artifacts"  #: folder for images and videos
    log_level: Annotated[str, Field(pattern="(?i)^(debug|info|warning|error)$")] = "info"
    api_token: Annotated[SecretStr, AfterValidator(_sendable)] | None = None  #: once set, nothing answers without it
    allow_open: bool = False  #: listen beyond loopback although no token is set
    presence_s: Annotated[float, Field(gt=0, le=60)] = 2  #: between a worker's signs of life
    stop_s: Annotated[float, Field(gt=0)] = 20  #: for a clean end after SIGTERM

    @property
    def token(self) -> str | None:
        return self.api_token.get_secret_value() if self.api_token else None

    @property
    def artifacts_folder(self) -> Path:
        return Path(self.artifacts_url.removeprefix("file://").removeprefix("file:"))


S = TypeVar("S", bound="ServiceSettings")


def load(settings: type[S]) -> S:
    """Read the environment. Raises `SettingsError` that names every wrong variable."""
    try:
        return settings()
    except ValidationError as error:
        wrong = (f"{'.'.join(str(part) for part in e['loc']).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError("these settings are wrong: " + "; ".join(wrong)) from error


def check_bind(variable: str, host: str, settings: ServiceSettings) -> None:
    """Refuse to listen where other machines can reach us without a token. Raises `SettingsError`."""
    if settings.token or settings.allow_open or _is_loopback(host):
        return
    raise SettingsError(
        f"{variable}={host} can be reached from other machines and nothing asks them for a token: "
        "set API_TOKEN, or listen on 127.0.0.1, or set ALLOW_OPEN=true if that is what you want"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
