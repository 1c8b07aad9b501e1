"""What BACKEND=diffusers needs installed, and how that is told to behave: both before anything of it is imported."""

import os
from importlib.util import find_spec

from shared.settings import SettingsError

NEEDED = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "huggingface_hub")


def check_packages(needed: tuple[str, ...] = NEEDED) -> None:
    """Raises `SettingsError` that names what is missing."""
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"BACKEND=diffusers needs packages that are not installed ({', '.join(missing)}): "
            "run `scripts/setup diffusers`, or use BACKEND=animatic, which needs none"
        )


def set_environment() -> None:
    """Nothing is asked of the hub or told to it, and no code of a repository runs, whatever becomes the default."""
    for name, value in {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DIFFUSERS_DISABLE_REMOTE_CODE": "true",
        "PYTORCH_ALLOC_CONF": "expandable_segments:True",  # or clips of changing sizes leave holes nobody can use
    }.items():
        os.environ.setdefault(name, value)
