"""The words of the services: every message survives the wire, and has exactly one way over the bus."""

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any, get_args
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticUndefined

from shared.contracts import claims, commands, events
from shared.contracts.claims import Answer, Question
from shared.contracts.commands import GENERATE, Message, SceneMessage
from shared.contracts.events import BrowserEvent, ProjectEvent, Result, Status
from shared.contracts.project import Sentence, Size
from shared.contracts.run import Order, Progress, Run, RunKind, RunStatus, StageCount
from shared.contracts.scene import Artifact, Contract, Failure, Scene, Stage
from shared.contracts.topology import DURABLE, EVENTS, JOB_QUEUES, JOBS, OWN_STATUS, RESULTS, ROUTES, STATUS, Queue

ABSTRACT = {Message, SceneMessage, ProjectEvent}
ID = UUID("6f1e1b52-8f0e-4a4d-9a52-0f7c9d1f9a01")
ARTIFACT = Artifact(key="p/a.png", media_type="image/png", size=3, width=8, height=8)
SCENE = Scene(id=ID, run_id=ID, project_id=ID, sentence_id=ID, number=1, plan=(Stage.IMAGE,), stage=Stage.IMAGE)
RUN = Run(
    id=ID,
    project_id=ID,
    kind=RunKind.BULK,
    order=Order.IMAGES_FIRST,
    stages=(Stage.IMAGE,),
    status=RunStatus.RUNNING,
    scenes=1,
    failed=0,
    images=StageCount(total=1),
    videos=StageCount(),
    progress=Progress(stage=Stage.IMAGE, settled=0, total=1),
    created_at="2026-01-01T00:00:00Z",
)
EXAMPLES: dict[str, Any] = {
    "attempt": 3,
    "stage": Stage.IMAGE,
    "artifact": ARTIFACT,
    "source": ARTIFACT,
    "took_s": 1.5,
    "failure": Failure(cause="bad_prompt", message="No. \U0001f600\u202e", detail="x\ny"),
    "retryable": True,
    "worker": "worker-1",
    "name": "worker-1",
    "number": 4,
    "input": {"title": "t", "text": "é日\U0001f600", "prompt": "p", "style": "", "seed": 2**53 - 1, "size": Size()},
    "reason": "done",
    "stop": True,
    "why": "cancel",
    "generator": "animatic",
    "state": "idle",
    "every_s": 2.0,
    "seq": 7,
    "run": RUN,
    "scenes": (SCENE,),
    "sentences": (Sentence(id=ID, position=1, text="a", seed=1, image=ARTIFACT),),
    "fraction": 0.5,
    "picture": "/9j/4AAQ",
}


def messages() -> Iterator[type[Message]]:
    def of(module: ModuleType) -> Iterator[type[Message]]:
        for _, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, Message) and found.__module__ == module.__name__ and found not in ABSTRACT:
                yield found

    for module in (claims, commands, events):
        yield from of(module)


MESSAGES = list(messages())


def example(kind: type[Contract]) -> Contract:
    """One with every field set."""
    values = {}
    for name, field in kind.model_fields.items():
        if name in ("v", "type") or (name == "stage" and field.default is not PydanticUndefined):
            continue
        values[name] = ID if name.endswith("_id") or name == "session" else EXAMPLES.get(name, field.default)
    return kind.model_validate(values)


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_message_survives_the_wire(kind: type[Message]) -> None:
    sent = example(kind)
    assert kind.model_validate_json(sent.model_dump_json()) == sent


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_message_says_its_type_and_version(kind: type[Message]) -> None:
    sent = example(kind).model_dump(mode="json")
    assert sent["v"] == 1
    assert kind.model_fields["type"].default == sent["type"]


def test_no_two_messages_have_the_same_type() -> None:
    types = [kind.model_fields["type"].default for kind in MESSAGES]
    assert len(set(types)) == len(types) > 10


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("change", [{"v": 2}, {"v": "1"}, {"v": None}, {"type": "other"}, {"new_field": 1}])
def test_what_a_reader_does_not_know_is_refused_and_not_guessed(kind: type[Message], change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        kind.model_validate({**example(kind).model_dump(mode="json"), **change})


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_cannot_be_changed_after_it_was_made(kind: type[Message]) -> None:
    made: Any = example(kind)
    with pytest.raises(ValidationError):
        made.v = 1


def test_the_topology_names_every_message_exactly_once() -> None:
    assert set(ROUTES) == set(MESSAGES)


def members(union: Any) -> set[Any]:
    return set(get_args(get_args(union)[0]))


@pytest.mark.parametrize("union", [Question, Answer, Result, Status, BrowserEvent])
def test_a_reader_tells_the_messages_of_its_queue_apart(union: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(union)
    for kind in members(union):
        sent = example(kind)
        got = adapter.validate_json(sent.model_dump_json())
        assert type(got) is kind
        assert got == sent


def takes(queue: Queue, key: str) -> bool:
    """As a topic or direct exchange matches."""
    return any(
        key == bound
        or (bound.endswith((".*", ".#")) and key.startswith(bound[:-1]) and "." not in key[len(bound) - 1 :])
        for bound in queue.keys
    )


def test_an_images_completion_reaches_the_coordinator_which_answers_with_its_video() -> None:
    route = ROUTES[events.ImageCompleted]
    assert (route.exchange, route.key) == (EVENTS, "image.completed")
    assert takes(RESULTS, route.key)
    assert ROUTES[GENERATE[Stage.VIDEO]].key in JOB_QUEUES[Stage.VIDEO].keys


@pytest.mark.parametrize("kind", sorted(members(Result), key=str))
def test_no_result_of_a_worker_can_get_lost(kind: type[Message]) -> None:
    route = ROUTES[kind]
    assert route.exchange is RESULTS.exchange is EVENTS
    assert takes(RESULTS, route.key)
    assert route.durable
    assert route.mandatory


@pytest.mark.parametrize("stage", list(Stage))
def test_a_job_goes_to_the_one_queue_of_its_stage(stage: Stage) -> None:
    route = ROUTES[GENERATE[stage]]
    assert (route.exchange, route.durable, route.mandatory) == (JOBS, True, True)
    assert [s for s, queue in JOB_QUEUES.items() if takes(queue, route.key)] == [stage]
    assert JOB_QUEUES[stage].name == f"jobs.{stage}"


@pytest.mark.parametrize("kind", sorted(members(Status), key=str))
def test_what_browsers_are_told_is_sent_whether_or_not_somebody_watches(kind: type[Message]) -> None:
    route = ROUTES[kind]
    assert route.exchange is STATUS is OWN_STATUS.exchange
    assert not route.mandatory
    assert route.key.format(project_id=ID) == f"project.{ID}"


def test_every_durable_queue_has_a_name_of_its_own() -> None:
    names = [queue.name for queue in DURABLE]
    assert all(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "key", ["../x.png", "/etc/passwd", "", "A.png", "a\0.png", "a b.png", ".hidden", "x" * 252, "a\n", "é.png", "a%2e"]
)
def test_an_artifact_has_a_key_that_cannot_lead_out_of_its_folder(key: str) -> None:
    with pytest.raises(ValidationError):
        Artifact(key=key, media_type="image/png", size=1, width=1, height=1)


@pytest.mark.parametrize(
    "wrong",
    [{"width": 63}, {"width": 65}, {"width": 4098}, {"height": True}, {"width": "640"}, {"fps": 0}, {"fps": 24.5}]
    + [{"seconds": 0.4}, {"seconds": 61}, {"seconds": float("nan")}, {"seconds": float("inf")}, {"depth": 1}],
)
def test_no_size_is_accepted_that_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Size.model_validate(wrong)
