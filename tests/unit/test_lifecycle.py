"""Every reachable scene x every message, enumerated: what must hold, and proof that the checks can fail.

`PLANTED` at the end lists faults; each is put into `decide` and must be found by the same checks.
"""

from collections.abc import Callable, Iterator
from functools import cache
from uuid import UUID

import pytest

from services.coordinator.lifecycle import (
    MAX_CRASHES,
    MAX_FAILURES,
    Cancel,
    Changed,
    Contested,
    Decision,
    Dispatch,
    Event,
    Ignored,
    LeaseLost,
    Pause,
    Regranted,
    Selection,
    Take,
    decide,
)
from shared.contracts.claims import Claim
from shared.contracts.events import ImageCompleted, JobFailed, JobReleased, JobStopped, VideoCompleted
from shared.contracts.scene import TERMINAL, Artifact, Failure, Scene, SceneStatus, Stage, Stopping

Decide = Callable[[Scene, Event], Decision]

MOST_SCENES = 2_000  #: no sound `decide` reaches as many; a broken one may reach any number
ATTEMPTS = 4  #: how far attempts are followed; beyond, nothing new can happen
PLANS = ((Stage.IMAGE, Stage.VIDEO), (Stage.IMAGE,), (Stage.VIDEO,))
MINE, OTHER = UUID(int=1), UUID(int=2)
IDS = {"project_id": UUID(int=10), "run_id": UUID(int=11), "scene_id": UUID(int=12)}
PICTURE = Artifact(key="a/picture.png", media_type="image/png", size=1, width=8, height=8)
CLIP = Artifact(key="a/clip.mp4", media_type="video/mp4", size=1, width=8, height=8, seconds=1)
FAILURE = Failure(cause="planted", message="It failed.")


def first(plan: tuple[Stage, ...]) -> Scene:
    return Scene(
        id=IDS["scene_id"],
        run_id=IDS["run_id"],
        project_id=IDS["project_id"],
        sentence_id=UUID(int=13),
        number=1,
        plan=plan,
        stage=plan[0],
        image=PICTURE if plan[0] is Stage.VIDEO else None,
    )


@cache
def messages() -> tuple[Event, ...]:
    """Every message with every stage, attempt and session that makes a difference."""
    found: list[Event] = [Dispatch(), Cancel(), Pause(stop_running=False), Pause(stop_running=True)]
    for attempt in range(1, ATTEMPTS + 1):
        of = IDS | {"attempt": attempt}
        found.append(LeaseLost(attempt))
        found.append(ImageCompleted(**of, artifact=PICTURE, took_s=1))
        found.append(VideoCompleted(**of, artifact=CLIP, took_s=1))
        for stage in Stage:
            found += [Claim(**of, stage=stage, worker="w", session=session) for session in (MINE, OTHER)]
            found += [JobFailed(**of, stage=stage, failure=FAILURE, retryable=r, took_s=1) for r in (True, False)]
            found += [JobStopped(**of, stage=stage), JobReleased(**of, stage=stage)]
    return tuple(found)


def same(scene: Scene) -> Scene:
    """The scene without its version, which only counts."""
    return scene.model_copy(update={"version": 0})


Edge = tuple[Scene, Event, Decision]


def edges(decide: Decide, plan: tuple[Stage, ...]) -> Iterator[Edge]:
    """Every edge of the graph of reachable scenes, each once."""
    seen, todo = {same(first(plan))}, [first(plan)]
    while todo:
        scene = todo.pop()
        for message in messages():
            decision = decide(scene, message)
            yield scene, message, decision
            if isinstance(decision, Changed) and decision.scene.attempt <= ATTEMPTS:
                after = decision.scene
                if same(after) not in seen:
                    seen.add(same(after))
                    todo.append(after)
        if len(seen) > MOST_SCENES:
            return


def of_current_attempt(scene: Scene, message: Event) -> bool:
    stage = getattr(message, "stage", scene.stage)
    return (stage, message.attempt) == (scene.stage, scene.attempt)  # type: ignore[union-attr]


FENCED = (Claim, JobFailed, JobStopped, JobReleased, LeaseLost)
ENDINGS = (JobFailed, JobStopped, JobReleased, LeaseLost)
OPEN = set(SceneStatus) - TERMINAL


def violations(decide: Decide) -> set[str]:
    """Names of the rules that this `decide` breaks, from the first of the plans that shows any."""
    broken: set[str] = set()

    def rule(name: str, holds: bool) -> None:
        if not holds:
            broken.add(name)

    for plan in PLANS:
        graph = list(edges(decide, plan))
        rule("the graph ends", len({same(scene) for scene, _, _ in graph}) < MOST_SCENES)
        for scene, message, decision in graph:
            if isinstance(decision, Changed):
                check_change(rule, scene, message, decision)
                again = decide(decision.scene, message)
                rule("a repeat changes nothing", not isinstance(again, Changed))
            check_answer(rule, scene, message, decision)
        check_reachable(rule, graph)
        if broken:
            break
    return broken


Rule = Callable[[str, bool], None]


def check_change(rule: Rule, scene: Scene, message: Event, decision: Changed) -> None:
    after = decision.scene
    rule("what is over stays over", scene.status not in TERMINAL)
    rule("the version counts every change", after.version == scene.version + 1)
    rule("an old attempt changes nothing", not isinstance(message, FENCED) or of_current_attempt(scene, message))
    rule("a session holds exactly what runs", (after.status is SceneStatus.RUNNING) == (after.session is not None))
    rule("a worker is shown exactly with what runs", (after.worker is None) == (after.session is None))
    rule("only what runs is stopping", after.stopping is None or after.status is SceneStatus.RUNNING)
    rule("a failure is explained", after.status is not SceneStatus.FAILED or after.failure is not None)
    if after.status is SceneStatus.DONE:
        rule("done means all is made", all(getattr(after, stage.value) for stage in scene.plan))
        rule("done means nothing failed last", after.failure is None)
    rule("stages follow the plan", scene.plan.index(after.stage) - scene.plan.index(scene.stage) in (0, 1))
    if after.stage is Stage.VIDEO:
        rule("a video has an image to start from", after.image is not None)
    if after.stage is not scene.stage:
        fresh = (after.attempt, after.failures, after.crashes) == (1, 0, 0)
        rule("a new stage starts afresh", fresh and after.status is SceneStatus.WAITING)
    elif scene.status is SceneStatus.RUNNING and after.status is SceneStatus.WAITING:
        rule("a job given or taken back raises the attempt", after.attempt == scene.attempt + 1)
    else:
        rule("nothing else raises the attempt", after.attempt == scene.attempt)
    rule("queued only by dispatch", after.status is not SceneStatus.QUEUED or isinstance(message, Dispatch))
    starts = after.status is SceneStatus.RUNNING and scene.status is not SceneStatus.RUNNING
    rule("nothing starts without a claim", not starts or isinstance(message, Claim))
    rule("only what is queued starts", not starts or scene.status is SceneStatus.QUEUED)
    if isinstance(message, Claim):
        rule("the claimant holds the claim", (after.session, after.worker) == (message.session, message.worker))
    if scene.stopping is Stopping.CANCEL:
        rule("a stopping scene ends cancelled", after.status is SceneStatus.CANCELLED)
    check_budget(rule, scene, message, after)


def check_budget(rule: Rule, scene: Scene, message: Event, after: Scene) -> None:
    if after.stage is not scene.stage:
        return
    failed = isinstance(message, JobFailed)
    lost = isinstance(message, LeaseLost)
    rule("failures count failures", after.failures - scene.failures == int(failed))
    rule("crashes count crashes", after.crashes - scene.crashes == int(lost))
    rule("budgets hold", after.failures <= MAX_FAILURES and after.crashes <= MAX_CRASHES)
    if scene.stopping is Stopping.CANCEL or not isinstance(message, ENDINGS):
        return
    final = isinstance(message, JobFailed) and not message.retryable
    spent = after.failures >= MAX_FAILURES or after.crashes >= MAX_CRASHES
    rule("a scene fails when it must, and only then", (after.status is SceneStatus.FAILED) == (final or spent))
    if lost and after.crashes >= MAX_CRASHES:
        rule("a crash is named", after.failure is not None and after.failure.cause == "worker_crashed")


def check_answer(rule: Rule, scene: Scene, message: Event, decision: Decision) -> None:
    """What must be answered to a message, changed or not."""
    if isinstance(message, ImageCompleted | VideoCompleted):
        opened = scene.status not in TERMINAL and scene.stage is message.stage
        take: Take | None = getattr(decision, "take", None)
        rule("a finished file is kept", take is not None and take.artifact == message.artifact)
        rule("the first completion wins, of any attempt", isinstance(decision, Changed) == opened)
        wanted = Selection.NEVER
        if opened:
            wanted = Selection.IF_NONE if scene.stopping is Stopping.CANCEL else Selection.ALWAYS
        rule("a take is selected where it should be", take is not None and take.selection is wanted)
    elif isinstance(message, Cancel) and scene.status in OPEN:
        after = decision.scene if isinstance(decision, Changed) else scene
        gone = after.status is SceneStatus.CANCELLED or after.stopping is Stopping.CANCEL
        rule("cancel always takes hold", gone)
    elif isinstance(message, Pause):
        after = decision.scene if isinstance(decision, Changed) else scene
        rule("nothing is queued after a pause", after.status is not SceneStatus.QUEUED)
        if message.stop_running and scene.status is SceneStatus.RUNNING:
            rule("a pause can stop what runs", after.stopping is not None)
    elif isinstance(message, Claim):
        check_claim(rule, scene, message, decision)
    elif isinstance(message, ENDINGS) and scene.status is SceneStatus.RUNNING and of_current_attempt(scene, message):
        rule("an attempt that ended does not run", isinstance(decision, Changed))


def check_claim(rule: Rule, scene: Scene, claim: Claim, decision: Decision) -> None:
    current = of_current_attempt(scene, claim)
    running = scene.status is SceneStatus.RUNNING and current
    rule(
        "the holder is answered again", isinstance(decision, Regranted) == (running and scene.session == claim.session)
    )
    rule("another session is told", isinstance(decision, Contested) == (running and scene.session != claim.session))
    startable = scene.status is SceneStatus.QUEUED and current
    rule("what is queued can be claimed", isinstance(decision, Changed) == startable)


def check_reachable(rule: Rule, graph: list[Edge]) -> None:
    """Every open scene can still be done, fail and be cancelled: nothing is ever stuck."""
    back: dict[Scene, set[Scene]] = {}
    scenes: set[Scene] = set()
    for scene, _, decision in graph:
        scenes.add(same(scene))
        if isinstance(decision, Changed):
            back.setdefault(same(decision.scene), set()).add(same(scene))
            scenes.add(same(decision.scene))
    for status in (SceneStatus.DONE, SceneStatus.CANCELLED, SceneStatus.FAILED):
        reached = {scene for scene in scenes if scene.status is status}
        todo = list(reached)
        while todo:
            for before in back.get(todo.pop(), ()):
                if before not in reached:
                    reached.add(before)
                    todo.append(before)
        stuck = [
            scene
            for scene in scenes - reached
            if scene.status in OPEN
            and scene.attempt < ATTEMPTS - 1
            and (scene.stopping is not Stopping.CANCEL or status is SceneStatus.CANCELLED)
        ]
        rule(f"every open scene can become {status}", not stuck)


def test_every_reachable_scene_and_every_message_keep_every_rule() -> None:
    assert violations(decide) == set()


def test_the_graph_is_as_large_as_it_was_when_its_rules_were_written() -> None:
    scenes = {same(scene) for plan in PLANS for scene, _, _ in edges(decide, plan)}
    assert len(scenes) > 400


def test_the_enumeration_reaches_every_status_stage_and_stop() -> None:
    changes = [d.scene for plan in PLANS for _, _, d in edges(decide, plan) if isinstance(d, Changed)]
    reached = {(scene.stage, scene.status, scene.stopping) for scene in changes}
    for stage in Stage:
        for status in SceneStatus:
            assert any(s == stage and t == status for s, t, _ in reached), (stage, status)
        for stopping in Stopping:
            assert (stage, SceneStatus.RUNNING, stopping) in reached


# Faults, each planted into `decide` and found by the rules above.


def changed(scene: Scene, **values: object) -> Changed:
    return Changed(scene.model_copy(update={**values, "version": scene.version + 1}))


def without_fence(scene: Scene, message: Event) -> Decision:
    if isinstance(message, JobFailed) and scene.status is SceneStatus.RUNNING:
        message = message.model_copy(update={"attempt": scene.attempt, "stage": scene.stage})
    return decide(scene, message)


def without_claim(scene: Scene, message: Event) -> Decision:
    if isinstance(message, Dispatch) and scene.status is SceneStatus.WAITING:
        return changed(scene, status=SceneStatus.RUNNING, session=MINE, worker="w")
    return decide(scene, message)


def claim_in_waiting(scene: Scene, message: Event) -> Decision:
    if isinstance(message, Claim) and scene.status is SceneStatus.WAITING and of_current_attempt(scene, message):
        return changed(scene, status=SceneStatus.RUNNING, session=message.session, worker=message.worker)
    return decide(scene, message)


def second_session_gets_it_too(scene: Scene, message: Event) -> Decision:
    decision = decide(scene, message)
    return Regranted() if isinstance(decision, Contested) else decision


def completion_fenced(scene: Scene, message: Event) -> Decision:
    if isinstance(message, ImageCompleted | VideoCompleted) and message.attempt != scene.attempt:
        return Ignored("of an earlier attempt")
    return decide(scene, message)


def late_take_thrown_away(scene: Scene, message: Event) -> Decision:
    decision = decide(scene, message)
    return Ignored(decision.reason) if isinstance(decision, Ignored) else decision


def late_take_selected(scene: Scene, message: Event) -> Decision:
    decision = decide(scene, message)
    if isinstance(decision, Ignored) and decision.take:
        return Ignored(decision.reason, Take(decision.take.stage, decision.take.artifact, Selection.ALWAYS))
    return decision


def endless_retries(scene: Scene, message: Event) -> Decision:
    return _edited(decide(scene, message), failures=0)


def endless_crashes(scene: Scene, message: Event) -> Decision:
    if isinstance(message, LeaseLost):
        return decide(scene.model_copy(update={"crashes": 0}), message)
    return decide(scene, message)


def stop_costs_the_budget(scene: Scene, message: Event) -> Decision:
    decision = decide(scene, message)
    if isinstance(message, JobReleased) and isinstance(decision, Changed):
        return _edited(decision, crashes=decision.scene.crashes + 1)
    return decision


def same_attempt_again(scene: Scene, message: Event) -> Decision:
    return (
        _edited(decide(scene, message), attempt=scene.attempt)
        if isinstance(message, LeaseLost)
        else decide(scene, message)
    )


def cancel_forgets_running(scene: Scene, message: Event) -> Decision:
    if isinstance(message, Cancel) and scene.status is SceneStatus.RUNNING:
        return Ignored("it runs")
    return decide(scene, message)


def cancel_pulls_the_rug(scene: Scene, message: Event) -> Decision:
    if isinstance(message, Cancel) and scene.status is SceneStatus.RUNNING:
        return changed(scene, status=SceneStatus.CANCELLED)
    return decide(scene, message)


def cancelled_scene_goes_on(scene: Scene, message: Event) -> Decision:
    if scene.stopping is Stopping.CANCEL and isinstance(message, ImageCompleted):
        return decide(scene.model_copy(update={"stopping": None}), message)
    return decide(scene, message)


def pause_leaves_the_queue(scene: Scene, message: Event) -> Decision:
    return (
        Ignored("later")
        if isinstance(message, Pause) and scene.status is SceneStatus.QUEUED
        else decide(scene, message)
    )


def budget_carried_over(scene: Scene, message: Event) -> Decision:
    decision = decide(scene, message)
    if isinstance(decision, Changed) and decision.scene.stage is not scene.stage:
        return _edited(decision, failures=scene.failures)
    return decision


def unexplained_failure(scene: Scene, message: Event) -> Decision:
    decision = decide(scene, message)
    if isinstance(decision, Changed) and decision.scene.status is SceneStatus.FAILED:
        return _edited(decision, failure=None)
    return decision


def version_forgotten(scene: Scene, message: Event) -> Decision:
    return _edited(decide(scene, message), version=scene.version)


def holder_kept(scene: Scene, message: Event) -> Decision:
    return (
        _edited(decide(scene, message), session=scene.session)
        if isinstance(message, JobFailed)
        else decide(scene, message)
    )


def risen_from_the_dead(scene: Scene, message: Event) -> Decision:
    if scene.status is SceneStatus.CANCELLED and isinstance(message, Dispatch):
        return changed(scene, status=SceneStatus.WAITING)
    return decide(scene, message)


def video_without_waiting(scene: Scene, message: Event) -> Decision:
    decision = decide(scene, message)
    if isinstance(decision, Changed) and decision.scene.stage is not scene.stage:
        return _edited(decision, status=SceneStatus.QUEUED)
    return decision


def final_failure_retried(scene: Scene, message: Event) -> Decision:
    if isinstance(message, JobFailed):
        message = message.model_copy(update={"retryable": True})
    return decide(scene, message)


def _edited(decision: Decision, **values: object) -> Decision:
    if isinstance(decision, Changed):
        return Changed(decision.scene.model_copy(update=values), decision.take)
    return decision


PLANTED = (
    without_fence,
    without_claim,
    claim_in_waiting,
    second_session_gets_it_too,
    completion_fenced,
    late_take_thrown_away,
    late_take_selected,
    endless_retries,
    endless_crashes,
    stop_costs_the_budget,
    same_attempt_again,
    cancel_forgets_running,
    cancel_pulls_the_rug,
    cancelled_scene_goes_on,
    pause_leaves_the_queue,
    budget_carried_over,
    unexplained_failure,
    version_forgotten,
    holder_kept,
    risen_from_the_dead,
    video_without_waiting,
    final_failure_retried,
)


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.__name__)
def test_a_planted_fault_breaks_a_rule(fault: Decide) -> None:
    assert violations(fault)
