"""Notes when a job passes each place between two generations, to the file TRACE_LOG.

Python imports a module of this name by itself at start-up; `bench/breakdown.py` puts its folder on the
PYTHONPATH of coordinator and workers, whose code knows nothing of it.
"""

import json
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

_log = os.open(os.environ["TRACE_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(place: str, scene_id: object) -> None:
    os.write(_log, json.dumps([time.monotonic(), place, str(scene_id)]).encode() + b"\n")


def around(owner: Any, name: str, scene_of: Callable[..., object], before: str = "", after: str = "") -> None:
    """Have `owner.name`, a coroutine function, noted."""
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def traced(*args: Any, **kwargs: Any) -> Any:
        scene_id = scene_of(*args)
        if before:
            note(before, scene_id)
        result = await original(*args, **kwargs)
        if after:
            note(after, scene_id)
        return result

    setattr(owner, name, traced)


def trace_worker() -> None:
    from shared.making import Maker
    from shared.worker import Worker

    around(Worker, "_handle", lambda _, delivery, __: delivery.message.scene_id, before="received")
    around(Worker, "_generate", lambda _, running, __: running.command.scene_id, after="heard of the end")
    make = Maker.make

    def traced_make(self: Maker, command: Any, *args: Any) -> Any:
        artifact = make(self, command, *args)
        note("stored", command.scene_id)
        return artifact

    Maker.make = traced_make  # type: ignore[method-assign]
    around(Worker, "_report", lambda _, result: result.scene_id, before="reporting", after="reported")
    around(Worker, "_claim", lambda _, command: command.scene_id, after="granted")


def trace_coordinator() -> None:
    from services.coordinator import advance
    from services.coordinator.consumer import Consumer
    from services.coordinator.store import scenes

    def is_claim(_: Any, delivery: Any) -> object:
        return delivery.message.scene_id if delivery.message.type == "claim" else ""

    around(Consumer, "_answer", is_claim, before="asked")
    claim, load_to_grant = advance.Advance.claim, scenes.load_to_grant

    def traced_load(connection: Any, scene_id: Any) -> Any:
        note("locked", scene_id)
        return load_to_grant(connection, scene_id)

    def traced_claim(self: Any, question: Any) -> Any:
        note("deciding", question.scene_id)
        answer = claim(self, question)
        note("decided", question.scene_id)
        return answer

    scenes.load_to_grant = traced_load
    advance.Advance.claim = traced_claim  # type: ignore[method-assign, assignment]


trace_worker()
trace_coordinator()
