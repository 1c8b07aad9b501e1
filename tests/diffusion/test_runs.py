"""One run of every family: what it makes, how it tells its steps, and how it stops without leaving a trace."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.contracts.scene import Stage
from shared.diffusion.model import Model
from shared.generator import Stopped
from tests.diffusion.conftest import Shelf
from tests.diffusion.loaded import SIZE, STEPS, load, make, shape
from tests.fixtures.tiny_models import IMAGE_MODELS, MODELS, VIDEO_MODELS

EVERY = pytest.mark.parametrize("name", MODELS)


def stage(name: str) -> Stage:
    return Stage.IMAGE if name in IMAGE_MODELS else Stage.VIDEO


def loaded(shelf: Shelf, name: str, **settings: Any) -> Model:
    return load(shelf[name], stage(name), **settings)


class After:
    """Says yes to "stop?" once a count of some event is reached."""

    def __init__(self) -> None:
        self.asked = False
        self.passes: list[str] = []  #: of the parts that tests watch, in their order
        self.steps = 0
        self._last_step = 0

    def __call__(self) -> bool:
        return self.asked

    def after_steps(self, count: int) -> None:
        self.steps, self._last_step = 0, count

    def on_step(self, fraction: float) -> None:
        self.steps += 1
        self.asked = self.steps == self._last_step

    def watch(self, module: Any, name: str, stop_before: int | None = None) -> None:
        def before(*_: Any) -> None:
            self.passes.append(name)
            if stop_before is not None and self.passes.count(name) == stop_before:
                self.asked = True

        # Prepended: the stop is asked for before our own hook looks.
        module.register_forward_pre_hook(before, prepend=True)


def denoiser(model: Model) -> Any:
    return getattr(model.pipeline, "transformer", None) or model.pipeline.unet


@EVERY
def test_what_is_made_has_the_size_and_length_that_was_told_before(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    made = make(model)
    told = shape(model.family)
    assert made.dtype == np.uint8
    assert made.shape[0] == told.frames
    if model.family.sized:
        assert made.shape[1:] == (told.height, told.width, 3)
    else:
        assert made.shape[1] % model.family.multiple == made.shape[2] % model.family.multiple == 0


@EVERY
def test_every_step_is_told_and_none_goes_back(shelf: Shelf, name: str) -> None:
    told: list[float] = []
    make(loaded(shelf, name), on_step=told.append)
    assert told == [number / (STEPS + 1) for number in range(1, STEPS + 1)]


@EVERY
def test_the_seed_alone_decides(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    first = make(model, seed=2**63 - 1)
    assert (make(model, seed=2**63 - 1) == first).all()
    assert (make(model, seed=3) != first).any()
    assert (make(loaded(shelf, name), seed=2**63 - 1) == first).all()


@EVERY
def test_a_run_stops_within_any_step_and_the_next_two_are_as_if_it_had_never_been(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    untouched = [make(model, seed=1), make(model, "Another scene.", seed=2)]
    stop = After()
    stop.watch(denoiser(model), "denoise")
    stop.watch(model.pipeline.vae.decoder, "decode")
    for step in range(1, STEPS + 1):
        stop.passes.clear()
        stop.after_steps(step)
        with pytest.raises(Stopped):
            make(model, on_step=stop.on_step, cancelled=stop)
        assert stop.steps == step
        assert "decode" not in stop.passes
        assert stop.passes.count("denoise") <= 2 * step
        stop.asked = False
        assert (make(model, seed=1) == untouched[0]).all()
    assert (make(model, "Another scene.", seed=2) == untouched[1]).all()


@EVERY
def test_a_run_stops_inside_the_decoder(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    untouched = make(model)
    stop = After()
    stop.watch(model.pipeline.vae.decoder, "decode", stop_before=1)
    stop.watch(list(model.pipeline.vae.decoder.children())[-1], "last part of the decoder")
    with pytest.raises(Stopped):
        make(model, cancelled=stop)
    assert stop.passes.count("decode") == 1
    assert "last part of the decoder" not in stop.passes
    stop.asked = False
    assert (make(model) == untouched).all()


@pytest.mark.parametrize("name", ["wan-5b", "wan-a14b"])
def test_a_run_stops_between_the_frames_of_a_decoder_that_takes_one_at_a_time(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    untouched = make(model)
    stop = After()
    stop.watch(model.pipeline.vae.decoder, "decode", stop_before=2)
    with pytest.raises(Stopped):
        make(model, cancelled=stop)
    stop.asked = False
    assert (make(model) == untouched).all()


@pytest.mark.parametrize("name", [name for name in MODELS if name != "svd"])
def test_a_run_stops_at_the_text_encoder(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    stop = After()
    stop.watch(model.pipeline.text_encoder, "encode", stop_before=1)
    stop.watch(denoiser(model), "denoise")
    with pytest.raises(Stopped):
        make(model, cancelled=stop)
    assert stop.passes == ["encode"]
    stop.asked = False
    assert (make(model) == make(loaded(shelf, name))).all()


@EVERY
def test_a_job_that_was_stopped_before_it_began_runs_nothing(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    stop = After()
    stop.watch(denoiser(model), "denoise")
    with pytest.raises(Stopped):
        make(model, cancelled=lambda: True)
    assert stop.passes == []


@pytest.mark.parametrize("name", [name for name in MODELS if name != "svd"])
def test_embeddings_from_the_cache_make_the_same_pixels(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    missed = make(model, "A red fox.")
    make(model, "Something else.")
    encoded = After()
    encoded.watch(model.pipeline.text_encoder, "encode")
    hits = model.embeddings.hits
    assert (make(model, "A red fox.") == missed).all()
    assert encoded.passes == []
    assert model.embeddings.hits > hits


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_another_prompt_makes_another_picture(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    assert (make(model, "A red fox.") != make(model, "Zebras, dancing!")).any()


@pytest.mark.parametrize("name", ["sdxl", "qwen-image", "wan-5b", "wan-a14b", "ltx", "hunyuan"])
@pytest.mark.parametrize("changed", [{"guidance": 9.0}, {"negative_prompt": "blurred, pale"}])
def test_guidance_and_negative_prompt_reach_the_families_that_have_them(
    shelf: Shelf, name: str, changed: dict[str, Any]
) -> None:
    assert (make(loaded(shelf, name)) != make(loaded(shelf, name, **changed))).any()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_runs_in_half_precision_with_a_decoder_in_full(shelf: Shelf, name: str) -> None:
    """As after a picture that was not a number: what the GPU runs in, as far as the processor can show it."""
    import torch

    model = loaded(shelf, name, dtype="bfloat16")
    assert denoiser(model).dtype is torch.bfloat16
    assert make(model).std() > 1
    if model.family.decodes_in_float32:
        model.pipeline.vae.to(torch.float32)
        assert make(model).std() > 1


@pytest.mark.parametrize("name", VIDEO_MODELS)
def test_the_image_is_what_the_video_starts_from(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    assert (make(model) != make(model, source=Image.new("RGB", SIZE, "red"))).any()
