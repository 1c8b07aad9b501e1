"""Embeddings of what is said to the model, made once for each text."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

CACHED_BYTES = 256 * 2**20  #: of host memory


class Embeddings:
    """Stands before a pipeline's `encode_prompt` and answers what was asked before.

    A story's negative prompt is the same in every scene, and a retry says the same again: the text encoder, often the
    largest part, then need not even come onto the device. What is kept lies in host memory, so that the device's stays
    level; copies there and back change no bit.
    """

    def __init__(self, limit: int = CACHED_BYTES) -> None:
        self.hits = 0
        self._limit = limit
        self._kept: OrderedDict[Any, tuple[Any, int]] = OrderedDict()

    def attach(self, pipeline: Any) -> None:
        """Pipelines ask themselves, by `self.encode_prompt`: so every family is served alike."""
        encode: Callable[..., Any] | None = getattr(pipeline, "encode_prompt", None)
        if encode is None:
            return

        def encode_once(*args: Any, **kwargs: Any) -> Any:
            key = _key(args, kwargs)
            if key is None:
                return encode(*args, **kwargs)
            if key in self._kept:
                self.hits += 1
                self._kept.move_to_end(key)
                return _restored(self._kept[key][0])
            made = encode(*args, **kwargs)
            self._keep(key, made)
            return made

        pipeline.encode_prompt = encode_once

    def clear(self) -> None:
        self._kept.clear()

    def _keep(self, key: Any, made: Any) -> None:
        size = sum(tensor.nbytes for tensor in _tensors(made))
        if size > self._limit // 4:
            return
        self._kept[key] = (_stored(made), size)
        while sum(size for _, size in self._kept.values()) > self._limit:
            self._kept.popitem(last=False)


def _key(args: Any, kwargs: dict[str, Any]) -> Any:
    """The question as something to look up; None where it holds tensors."""

    def frozen(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return tuple(frozen(item) for item in value)
        if value is None or isinstance(value, str | int | float | bool | torch.dtype | torch.device):
            return value
        raise TypeError

    try:
        return frozen(args), tuple((name, frozen(value)) for name, value in sorted(kwargs.items()))
    except TypeError:
        return None


def _tensors(made: Any) -> list[Any]:
    if isinstance(made, list | tuple):
        return [tensor for item in made for tensor in _tensors(item)]
    return [made] if isinstance(made, torch.Tensor) else []


def _stored(made: Any) -> Any:
    if isinstance(made, list | tuple):
        return type(made)(_stored(item) for item in made)
    # A copy even on the processor: a pipeline may write into what it was given.
    return (made.device, made.detach().to("cpu", copy=True)) if isinstance(made, torch.Tensor) else _Plain(made)


class _Plain:
    """Something other than a tensor, among tensors."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _restored(stored: Any) -> Any:
    if isinstance(stored, _Plain):
        return stored.value
    if isinstance(stored, tuple) and len(stored) == 2 and isinstance(stored[0], torch.device):
        return stored[1].to(stored[0], copy=True)
    return type(stored)(_restored(item) for item in stored)
