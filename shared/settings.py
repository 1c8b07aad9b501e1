"""What every service is told by its environment."""

import ipaddress
import re
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_S3_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[a-z0-9][a-z0-9._-]*)*/?")


class SettingsError(Exception):
    """The environment asks for something that cannot be, or must not be; names the variable."""


def _sendable(token: SecretStr) -> SecretStr:
    """Headers carry nothing else, and a short token is guessed."""
    value = token.get_secret_value()
    if len(value) < 8 or not all("!" <= character <= "~" for character in value):
        raise ValueError("use at least 8 letters, digits and signs of plain ASCII, without spaces")
    return token


def _storable(url: str) -> str:
    """A misspelt address would else become a folder of that name."""
    if url.startswith("s3:") and not _S3_URL.fullmatch(url):
        raise ValueError("use s3://bucket or s3://bucket/prefix, in small letters, digits and . _ - /")
    if "://" in url and not url.startswith(("s3://", "file://")):
        raise ValueError("use a folder, or s3://bucket/prefix")
    return url


class ServiceSettings(BaseSettings):
    """Read from variables of the same names in capitals; unknown variables are not ours."""

    model_config = SettingsConfigDict(extra="ignore")

    amqp_url: Annotated[str, Field(pattern=r"^amqps?://\S+$")] = "amqp://guest:guest@127.0.0.1:5672/"  #: of the broker
    artifacts_url: Annotated[str, AfterValidator(_storable)] = "var/artifacts"  #: folder, or s3://bucket/prefix
    log_level: Annotated[str, Field(pattern="(?i)^(debug|info|warning|error)$")] = "info"
    api_token: Annotated[SecretStr, AfterValidator(_sendable)] | None = None  #: once set, nothing answers without it
    allow_open: bool = False  #: listen beyond loopback although no token is set
    presence_s: Annotated[float, Field(gt=0, le=60)] = 2  #: between a worker's signs of life
    stop_s: Annotated[float, Field(gt=0)] = 20  #: for a clean end after SIGTERM

    @property
    def token(self) -> str | None:
        return self.api_token.get_secret_value() if self.api_token else None


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
