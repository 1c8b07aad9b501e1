"""What an error of a run means: for the device, for this job, and for the next one."""

from enum import Enum

import torch


class Trouble(Enum):
    MEMORY = "memory"  #: too little of it: something smaller, or the same in a cheaper mode, may work
    DEVICE = "device"  #: it answers this process no more
    BLANK = "blank"  #: not a number, or the same colour everywhere
    BLOCKED = "blocked"  #: held back by a safety checker
    OTHER = "other"


class BlankOutput(Exception):
    """The pipeline gave something that is no picture; says what."""


class BlockedOutput(Exception):
    """The model's safety checker has put nothing in the picture's place."""


_MEMORY = ("out of memory", "tried to allocate", "cudnn_status_alloc_failed", "cublas_status_alloc_failed")
_DEVICE = (
    "illegal memory access",
    "illegal address",
    "device-side assert",
    "unspecified launch failure",
    "misaligned address",
    "illegal instruction",
    "invalid program counter",
    "uncorrectable ecc",
    "cuda error: unknown error",
    "fallen off the bus",
    "driver shutting down",
)


def classify(error: BaseException) -> Trouble:
    """By type and by text: the same fault comes as different types from CUDA, cuDNN and cuBLAS.

    The text of a sticky error goes first: it may speak of memory, too.
    """
    if isinstance(error, BlankOutput):
        return Trouble.BLANK
    if isinstance(error, BlockedOutput):
        return Trouble.BLOCKED
    text = f"{type(error).__name__}: {error}".lower()
    if any(words in text for words in _DEVICE):
        return Trouble.DEVICE
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in text for words in _MEMORY):
        return Trouble.MEMORY
    # Any other error of the CUDA runtime: its state is unknown.
    return Trouble.DEVICE if isinstance(error, torch.AcceleratorError) else Trouble.OTHER
