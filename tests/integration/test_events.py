"""What browsers are told: every commit once, in numbers without a gap, and each with the right counters."""

import random
import signal
from collections import Counter
from typing import Any

from services.coordinator.counters import Group, count
from shared.contracts.events import RunChanged, SceneChanged, StoryboardChanged
from shared.contracts.project import Storyboard
from shared.contracts.run import Run
from shared.contracts.scene import Scene
from tests.fixtures.stack import Stack, eventually
from tests.fixtures.watcher import watching

Stored = SceneChanged | RunChanged | StoryboardChanged


def stored(heard: list[Any], project_id: str) -> list[Stored]:
    return [event for event in list(heard) if isinstance(event, Stored) and str(event.project_id) == project_id]


def counted(scenes: dict[Any, Scene], run: Run) -> Any:
    groups = Counter((s.plan, s.stage, s.status) for s in scenes.values() if s.run_id == run.id)
    return count(Group(*key, number) for key, number in groups.items())


SENTENCES = [f"counted {n} take:0.01" for n in range(9)] + ["counted image/fail:nope", "counted video/flaky:1"]


def test_every_commit_is_told_once_in_numbers_without_a_gap(studio: Stack) -> None:
    with watching(studio) as heard:
        project_id = studio.project(SENTENCES)["project"]["id"]
        run = studio.press(project_id)
        studio.ended(run["id"])
        last = studio.storyboard(project_id)["project"]["seq"]
        eventually(lambda: last in {event.seq for event in stored(heard, project_id)}, what="the last event")
        told = Counter(event.seq for event in stored(heard, project_id))
    assert sorted(told) == list(range(2, last + 1))
    assert set(told.values()) == {1}


def test_the_counters_are_right_at_every_event(studio: Stack) -> None:
    with watching(studio) as heard:
        project_id = studio.project([f"{text} again" for text in SENTENCES])["project"]["id"]
        worker = studio.services["image-worker"]
        worker.signal(signal.SIGSTOP)  # So that every job begins after this look at the board.
        try:
            run_id = studio.press(project_id)["id"]
            board = Storyboard.model_validate(studio.storyboard(project_id))
        finally:
            worker.signal(signal.SIGCONT)
        studio.ended(run_id)
        last = studio.storyboard(project_id)["project"]["seq"]
        eventually(lambda: last in {event.seq for event in stored(heard, project_id)}, what="the last event")
        events = sorted(stored(heard, project_id), key=lambda event: event.seq)
    scenes = {scene.id: scene for scene in board.scenes}
    compared = 0
    for event in events:
        if event.seq <= board.project.seq or not isinstance(event, SceneChanged):
            continue
        scenes.update((scene.id, scene) for scene in event.scenes)
        if event.run:
            found = counted(scenes, event.run)
            assert (event.run.images, event.run.videos) == (found.images, found.videos)
            assert event.run.progress == found.progress(event.run.order)
            compared += 1
    assert compared > len(SENTENCES)


def test_a_client_that_comes_late_drops_out_and_hears_things_twice_ends_with_the_truth(studio: Stack) -> None:
    with watching(studio) as heard:
        project_id = studio.project([f"{text} once more" for text in SENTENCES])["project"]["id"]
        run_id = studio.press(project_id)["id"]
        eventually(lambda: len(stored(heard, project_id)) > 8, what="some events")
        snapshots = [Storyboard.model_validate(studio.storyboard(project_id)) for _ in range(2)]
        studio.ended(run_id)
        truth = Storyboard.model_validate(studio.storyboard(project_id))
        eventually(lambda: truth.project.seq in {e.seq for e in stored(heard, project_id)}, what="the last event")
        events = stored(heard, project_id)
    for seed in range(20):
        chance = random.Random(seed)
        board = snapshots[seed % 2]
        scenes = {scene.id: scene for scene in board.scenes}
        sentences = {sentence.id: sentence for sentence in board.sentences}
        disordered = events + chance.sample(events, len(events) // 2)
        chance.shuffle(disordered)
        for event in disordered:
            if isinstance(event, SceneChanged):
                for scene in event.scenes:
                    if scene.id not in scenes or scenes[scene.id].version < scene.version:
                        scenes[scene.id] = scene
                for sentence in event.sentences:
                    if sentences[sentence.id].version < sentence.version:
                        sentences[sentence.id] = sentence
        assert scenes == {scene.id: scene for scene in truth.scenes}
        assert sentences == {sentence.id: sentence for sentence in truth.sentences}


def test_progress_is_told_while_a_job_runs(studio: Stack) -> None:
    with watching(studio) as heard:
        project_id = studio.project(["progress take:2"])["project"]["id"]
        studio.ended(studio.press(project_id, stages=["image"])["id"])
        last = studio.storyboard(project_id)["project"]["seq"]
        eventually(lambda: last in {event.seq for event in stored(heard, project_id)}, what="the last event")
    fractions = [e.fraction for e in heard if e.type == "scene_progressed" and str(e.project_id) == project_id]
    assert fractions == sorted(fractions)
    begun, ended = (line["at"] for line in studio.history() if line["text"] == "progress take:2")
    # Four a second at most, and at least a few.
    assert 2 <= len(fractions) <= 4 * (ended - begun) + 2
