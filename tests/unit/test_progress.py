"""The numbers of "Generating... (5/24)": story task 2.2, in the coordinator's half."""

import pytest

from services.coordinator.counters import Group, count
from shared.contracts.run import Order
from shared.contracts.scene import SceneStatus, Stage

BOTH = (Stage.IMAGE, Stage.VIDEO)


def progress(order: Order, *groups: Group) -> tuple[Stage | None, int, int]:
    found = count(groups).progress(order)
    return found.stage, found.settled, found.total


def test_images_are_counted_while_images_are_made() -> None:
    found = progress(
        Order.IMAGES_FIRST,
        Group(BOTH, Stage.IMAGE, SceneStatus.RUNNING, 1),
        Group(BOTH, Stage.IMAGE, SceneStatus.WAITING, 18),
        Group(BOTH, Stage.VIDEO, SceneStatus.WAITING, 5),
    )
    assert found == (Stage.IMAGE, 5, 24)


def test_videos_are_counted_once_the_last_image_has_settled() -> None:
    found = progress(
        Order.IMAGES_FIRST,
        Group(BOTH, Stage.IMAGE, SceneStatus.FAILED, 1),
        Group(BOTH, Stage.VIDEO, SceneStatus.WAITING, 20),
        Group(BOTH, Stage.VIDEO, SceneStatus.DONE, 2),
        Group((Stage.VIDEO,), Stage.VIDEO, SceneStatus.RUNNING, 1),
    )
    # A scene without image gets no video, so its video has settled with it.
    assert found == (Stage.VIDEO, 3, 24)


def test_sentences_that_have_an_image_do_not_count_among_the_images() -> None:
    found = progress(
        Order.IMAGES_FIRST,
        Group(BOTH, Stage.IMAGE, SceneStatus.QUEUED, 9),
        Group((Stage.VIDEO,), Stage.VIDEO, SceneStatus.WAITING, 15),
    )
    assert found == (Stage.IMAGE, 0, 9)


def test_a_run_of_videos_alone_counts_videos_from_the_start() -> None:
    found = progress(Order.IMAGES_FIRST, Group((Stage.VIDEO,), Stage.VIDEO, SceneStatus.QUEUED, 4))
    assert found == (Stage.VIDEO, 0, 4)


def test_a_run_of_images_alone_ends_with_its_images() -> None:
    found = progress(Order.IMAGES_FIRST, Group((Stage.IMAGE,), Stage.IMAGE, SceneStatus.DONE, 4))
    assert found == (Stage.IMAGE, 4, 4)


def test_per_scene_counts_finished_scenes_of_all_scenes() -> None:
    found = progress(
        Order.PER_SCENE,
        Group(BOTH, Stage.VIDEO, SceneStatus.DONE, 3),
        Group(BOTH, Stage.VIDEO, SceneStatus.RUNNING, 1),
        Group(BOTH, Stage.IMAGE, SceneStatus.FAILED, 2),
        Group(BOTH, Stage.IMAGE, SceneStatus.WAITING, 18),
    )
    assert found == (None, 5, 24)


@pytest.mark.parametrize("status", list(SceneStatus))
def test_a_second_attempt_does_not_count_twice(status: SceneStatus) -> None:
    # Attempts are no part of a group at all; whatever the status, one scene is one scene.
    found = count([Group(BOTH, Stage.IMAGE, status, 1)])
    assert (found.images.total, found.videos.total, found.scenes) == (1, 1, 1)


def test_a_run_is_over_when_every_scene_has_settled() -> None:
    settled = [Group(BOTH, Stage.VIDEO, SceneStatus.DONE, 2), Group(BOTH, Stage.IMAGE, SceneStatus.CANCELLED, 1)]
    assert count(settled).over
    assert not count([*settled, Group(BOTH, Stage.VIDEO, SceneStatus.WAITING, 1)]).over
