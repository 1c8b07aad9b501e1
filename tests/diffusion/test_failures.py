"""What happens to a job, and to the next one, when device or model fail: the true errors, raised in the model."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from shared.contracts.scene import Stage
from shared.diffusion.failures import Trouble, classify
from shared.diffusion.families import Shape
from shared.diffusion.model import Model
from shared.generator import DeviceLost, GenerationFailed, Stopped
from tests.diffusion.conftest import Shelf
from tests.diffusion.loaded import STEPS, load, make, request

OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
ILLEGAL_ACCESS = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


class Faulty:
    """Raises an error in the decoder, or spoils what the decoder gives, for a number of runs."""

    def __init__(self, model: Model, times: int, *, error: Exception | None = None, value: float | None = None) -> None:
        self.left, self._passes = times, 0
        self._error, self._value = error, value
        model.pipeline.transformer.register_forward_pre_hook(self._count)
        model.pipeline.vae.decoder.register_forward_hook(self._after)

    @property
    def runs(self) -> int:
        """Of a family without guidance, which takes one pass a step."""
        return self._passes // STEPS

    def _count(self, module: Any, args: Any) -> None:
        self._passes += 1

    def _after(self, module: Any, args: Any, output: Any) -> Any:
        if self.left <= 0:
            return None
        self.left -= 1
        if self._error is not None:
            raise self._error
        return torch.full_like(output, self._value or 0.0)


@pytest.fixture
def model(shelf: Shelf) -> Model:
    return load(shelf["z-image"], Stage.IMAGE)


def failure(model: Model) -> GenerationFailed:
    with pytest.raises(GenerationFailed) as raised:
        make(model)
    return raised.value


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (OUT_OF_MEMORY, Trouble.MEMORY),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), Trouble.MEMORY),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), Trouble.MEMORY),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
            Trouble.MEMORY,
        ),
        (MemoryError(), Trouble.MEMORY),
        (ILLEGAL_ACCESS, Trouble.DEVICE),
        (RuntimeError("CUDA error: device-side assert triggered"), Trouble.DEVICE),
        (RuntimeError("CUDA error: unspecified launch failure, out of memory reports may be wrong"), Trouble.DEVICE),
        (torch.AcceleratorError("CUDA error: something new"), Trouble.DEVICE),
        (ValueError("a mistake of the pipeline"), Trouble.OTHER),
    ],
)
def test_an_error_is_known_by_its_type_and_text(error: Exception, meaning: Trouble) -> None:
    assert classify(error) is meaning


def test_too_little_memory_once_is_made_up_for_in_a_cheaper_mode(model: Model) -> None:
    assert model.thrift.mode == "resident"
    faulty = Faulty(model, 1, error=OUT_OF_MEMORY)
    assert make(model).std() > 1
    assert faulty.runs == 2
    assert (model.thrift.mode, model.thrift.tiled) == ("model_offload", True)
    assert make(model).std() > 1
    assert faulty.runs == 3


def test_too_little_memory_twice_fails_the_job_with_sizes_that_need_less(model: Model) -> None:
    faulty = Faulty(model, 2, error=OUT_OF_MEMORY)
    failed = failure(model)
    assert (failed.cause, failed.retryable) == ("out_of_memory", False)
    assert failed.message == "The graphics card has too little memory for 96x64. Less is needed for 64x64."
    assert "Tried to allocate 2.00 GiB" in failed.detail
    assert make(model).std() > 1
    assert faulty.runs == 3


def test_a_failed_video_names_a_smaller_size_and_a_shorter_length(shelf: Shelf) -> None:
    model = load(shelf["wan-5b"], Stage.VIDEO)
    Faulty(model, 20, error=OUT_OF_MEMORY)
    longer = replace(request(model), shape=Shape(96, 64, 9, 24))
    with pytest.raises(GenerationFailed, match="Less is needed for 64x64 with 9 frames or 96x64 with 5 frames"):
        model.make(longer, lambda fraction: None, lambda: False, lambda data: None)


def test_an_error_is_kept_as_text_so_that_it_holds_no_tensors(model: Model) -> None:
    import gc
    import weakref

    held: list[weakref.ref[torch.Tensor]] = []

    def remember(module: Any, args: Any, output: Any) -> None:
        held.append(weakref.ref(output))

    model.pipeline.vae.decoder.mid_block.register_forward_hook(remember)
    Faulty(model, 2, error=OUT_OF_MEMORY)
    gc.collect()
    gc.disable()
    try:
        failed = failure(model)
        assert held and all(tensor() is None for tensor in held)
    finally:
        gc.enable()
    assert failed.cause == "out_of_memory"


def test_a_lost_device_is_told_at_once_and_not_tried_again(model: Model) -> None:
    faulty = Faulty(model, 9, error=ILLEGAL_ACCESS)
    with pytest.raises(DeviceLost, match="illegal memory access"):
        make(model)
    assert faulty.runs == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.3])
def test_an_empty_picture_once_is_made_again(model: Model, value: float) -> None:
    untouched = make(model)
    faulty = Faulty(model, 1, value=value)
    assert (make(model) == untouched).all()
    assert faulty.runs == 2


def test_values_that_are_no_numbers_twice_fail_the_job(model: Model) -> None:
    faulty = Faulty(model, 2, value=float("nan"))
    failed = failure(model)
    assert (failed.cause, failed.retryable) == ("blank_output", False)
    assert "it holds values that are not numbers" in failed.message
    assert make(model).std() > 1
    assert faulty.runs == 3


def test_one_colour_everywhere_twice_fails_the_job(shelf: Shelf) -> None:
    model = load(shelf["wan-5b"], Stage.VIDEO)
    Faulty(model, 100, value=-1.0)
    failed = failure(model)
    assert failed.cause == "blank_output"
    assert "every pixel has the same colour" in failed.message


def test_the_decoder_is_in_full_precision_for_the_second_try(shelf: Shelf) -> None:
    model = load(shelf["z-image"], Stage.IMAGE, dtype="bfloat16")
    Faulty(model, 1, value=float("nan"))
    make(model)
    assert model.pipeline.vae.dtype is torch.float32
    assert model.pipeline.transformer.dtype is torch.bfloat16


def test_a_picture_that_the_safety_checker_held_back_is_blocked_and_not_black(shelf: Shelf) -> None:
    model = load(shelf["sd"], Stage.IMAGE)
    assert make(model).std() > 1
    model.pipeline.safety_checker.concept_embeds_weights.data.fill_(-10.0)
    failed = failure(model)
    assert (failed.cause, failed.retryable) == ("blocked", False)


def test_any_other_error_fails_the_attempt_and_may_be_tried_again(model: Model) -> None:
    faulty = Faulty(model, 1, error=ValueError("shapes cannot be multiplied"))
    failed = failure(model)
    assert (failed.cause, failed.retryable) == ("generator_error", True)
    assert failed.message == "The model stopped with an error: shapes cannot be multiplied"
    assert "Traceback" in failed.detail
    assert make(model).std() > 1
    assert faulty.runs == 2


@pytest.mark.parametrize("error", [OUT_OF_MEMORY, ValueError("a mistake")])
def test_what_comes_after_a_failure_is_as_if_it_had_never_been(shelf: Shelf, error: Exception) -> None:
    model = load(shelf["wan-5b"], Stage.VIDEO)
    untouched = make(model)
    faulty = Faulty(model, 1, error=error)
    if isinstance(error, ValueError):
        assert failure(model).cause == "generator_error"
    assert (make(model) == untouched).all()
    assert faulty.left == 0


def test_memory_that_creeps_up_makes_the_model_load_anew_between_jobs(shelf: Shelf) -> None:
    level = 0
    model = load(shelf["z-image"], Stage.IMAGE, allocated=lambda device: level)
    pictures, loads = [], []
    for level in (10, 11, 10, 11, 12, 12):
        level *= 2**30
        pictures.append(make(model))
        loads.append(id(model.pipeline.scheduler))
    assert [one == loads[0] for one in loads] == [True] * 5 + [False]
    assert all((picture == pictures[0]).all() for picture in pictures)


def test_a_stop_during_the_second_try_stops(model: Model) -> None:
    faulty = Faulty(model, 1, error=OUT_OF_MEMORY)
    with pytest.raises(Stopped):
        make(model, cancelled=lambda: faulty.left == 0)
    assert faulty.runs == 1


def test_a_model_that_left_its_device_comes_back_to_it(model: Model) -> None:
    untouched = make(model)
    model.leave_device()
    model.leave_device()
    model.take_device()
    assert (make(model) == untouched).all()
