"""What only a GPU can show; skipped where there is none. Models are tiny: what is tested is the rules, not the size."""

from typing import Any

import pytest
import torch

from shared.contracts.scene import Stage
from shared.diffusion import memory
from shared.diffusion.model import Model
from shared.generator import GenerationFailed, Stopped
from tests.diffusion.conftest import Shelf
from tests.diffusion.loaded import load, make
from tests.fixtures.tiny_models import IMAGE_MODELS, MODELS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU and a PyTorch built for it"),
]


def loaded(shelf: Shelf, name: str, **settings: Any) -> Model:
    return load(shelf[name], Stage.IMAGE if name in IMAGE_MODELS else Stage.VIDEO, device="cuda", **settings)


@pytest.mark.parametrize("name", MODELS)
def test_every_family_runs_in_bfloat16_and_repeats_itself(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    first = make(model)
    assert first.std() > 1
    assert (make(model) == first).all()


@pytest.mark.parametrize("mode", ["resident", "model_offload", "group_offload"])
@pytest.mark.parametrize("name", ["z-image", "wan-5b"])
def test_a_stop_leaves_nothing_on_the_device_that_was_not_there(shelf: Shelf, name: str, mode: str) -> None:
    model = loaded(shelf, name, memory_mode=mode)
    untouched = make(model)
    level = memory.allocated_bytes("cuda")
    told: list[float] = []
    with pytest.raises(Stopped):
        make(model, on_step=told.append, cancelled=lambda: len(told) == 2)
    assert len(told) == 2
    assert memory.allocated_bytes("cuda") <= level
    assert (make(model) == untouched).all()


def test_a_model_leaves_its_device_and_comes_back(shelf: Shelf) -> None:
    model = loaded(shelf, "z-image", memory_mode="resident")
    untouched = make(model)
    level = memory.allocated_bytes("cuda")
    model.leave_device()
    assert memory.allocated_bytes("cuda") < level
    model.take_device()
    assert (make(model) == untouched).all()


def test_a_real_lack_of_memory_fails_the_job_and_not_the_next(shelf: Shelf) -> None:
    model = loaded(shelf, "z-image", memory_mode="resident")
    untouched = make(model)
    free = memory.free_bytes("cuda") or 0
    hoard: list[torch.Tensor] = []

    def grab(*_: object) -> None:
        hoard.append(torch.empty(2 * free, dtype=torch.uint8, device="cuda"))

    hook = model.pipeline.vae.decoder.register_forward_pre_hook(grab)
    with pytest.raises(GenerationFailed) as raised:
        make(model)
    assert raised.value.cause == "out_of_memory"
    hook.remove()
    assert make(model).shape == untouched.shape


def test_a_compiled_model_makes_what_it_made_before(shelf: Shelf) -> None:
    compiled = loaded(shelf, "z-image", compile=True)
    first = make(compiled)
    assert first.std() > 1
    assert (make(compiled) == first).all()
