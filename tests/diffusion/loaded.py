"""A tiny model, loaded, and how the tests speak to it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from shared.contracts.scene import Stage
from shared.diffusion import families
from shared.diffusion.families import Shape
from shared.diffusion.folder import find
from shared.diffusion.frames import Pixels
from shared.diffusion.model import Model, Request
from shared.diffusion.settings import Wanted

STEPS = 3
SIZE = (96, 64)


def wanted(path: Path, stage: Stage, **settings: Any) -> Wanted:
    return replace(Wanted(stage, str(path), device="cpu", steps=STEPS), **settings)


def load(path: Path, stage: Stage, *, allocated: Callable[[str], int] | None = None, **settings: Any) -> Model:
    asked = wanted(path, stage, **settings)
    folder = find(asked)
    more: dict[str, Any] = {} if allocated is None else {"allocated": allocated}
    return Model(asked, folder, lambda done, total, part: None, shape(folder.family), **more)


def shape(family: families.Family) -> Shape:
    # Two latent frames, so that a decoder that takes one at a time has more than one.
    return families.shape(family, SIZE, 1 + max(2, family.frame_step), None)


def request(model: Model, prompt: str = "A fox in snow.", seed: int = 7) -> Request:
    source = Image.linear_gradient("L").resize(SIZE).convert("RGB") if model.family.stage is Stage.VIDEO else None
    return Request(prompt, seed, shape(model.family), source)


def make(
    model: Model, prompt: str = "A fox in snow.", seed: int = 7, *, source: Image.Image | None = None, **more: Any
) -> Pixels:
    """The pixels of one run that nobody stops."""
    asked = request(model, prompt, seed)
    told = {"on_step": lambda fraction: None, "cancelled": lambda: False, "on_preview": lambda data: None, **more}
    return model.make(replace(asked, source=source or asked.source), **told)
