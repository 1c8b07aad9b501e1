"""Properties of the dispatcher: window, fairness, order; and the two counters that it works from."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.counters import Group, count
from services.coordinator.dispatch import Window, choose, room
from shared.contracts.run import Order, StageCount
from shared.contracts.scene import SceneStatus, Stage

numbers = st.integers(0, 50)
counts = st.builds(
    lambda **n: StageCount(total=sum(n.values()), **n),
    blocked=numbers,
    waiting=numbers,
    queued=numbers,
    running=numbers,
    done=numbers,
    failed=numbers,
    cancelled=numbers,
)
windows = st.builds(Window, image=st.integers(1, 40), video=st.integers(1, 40))


@given(st.sampled_from(Order), counts, counts, windows)
def test_a_queue_never_holds_more_than_the_window(
    order: Order, images: StageCount, videos: StageCount, window: Window
) -> None:
    free = room(order, images, videos, window)
    for stage, counted in ((Stage.IMAGE, images), (Stage.VIDEO, videos)):
        assert free[stage] >= 0
        assert free[stage] <= counted.waiting
        if free[stage]:
            assert counted.queued + free[stage] <= window.of(stage)


@given(counts, counts, windows)
def test_images_first_queues_no_video_before_every_image_has_settled(
    images: StageCount, videos: StageCount, window: Window
) -> None:
    free = room(Order.IMAGES_FIRST, images, videos, window)
    assert not (free[Stage.VIDEO] and images.settled < images.total)


@given(st.sampled_from(Order), counts, counts, windows)
def test_room_is_used_whenever_something_may_be_queued(
    order: Order, images: StageCount, videos: StageCount, window: Window
) -> None:
    free = room(order, images, videos, window)
    assert bool(free[Stage.IMAGE]) == (images.waiting > 0 and images.queued < window.image)
    allowed = order is Order.PER_SCENE or images.settled == images.total
    assert bool(free[Stage.VIDEO]) == (allowed and videos.waiting > 0 and videos.queued < window.video)


@given(st.lists(st.tuples(numbers, st.uuids()), unique_by=lambda pair: pair[1]), st.integers(0, 20))
def test_the_oldest_sentences_are_chosen(waiting: list[tuple[int, UUID]], free: int) -> None:
    chosen = choose(waiting, free)
    assert len(chosen) == min(free, len(waiting))
    assert len(set(chosen)) == len(chosen)
    place = {scene_id: number for number, scene_id in waiting}
    left = [number for number, scene_id in waiting if scene_id not in chosen]
    assert [place[scene_id] for scene_id in chosen] == sorted(place[scene_id] for scene_id in chosen)
    assert not chosen or not left or max(place[scene_id] for scene_id in chosen) <= min(left)


groups = st.lists(
    st.builds(
        lambda plan, last, status, scenes: Group(plan, plan[-1] if last else plan[0], status, scenes),
        st.sampled_from([(Stage.IMAGE,), (Stage.VIDEO,), (Stage.IMAGE, Stage.VIDEO)]),
        st.booleans(),
        st.sampled_from(SceneStatus),
        st.integers(1, 9),
    )
)


@given(groups)
def test_every_scene_is_counted_once_in_each_stage_of_its_plan(found: list[Group]) -> None:
    counted = count(found)
    for stage, tally in ((Stage.IMAGE, counted.images), (Stage.VIDEO, counted.videos)):
        assert tally.total == sum(group.scenes for group in found if stage in group.plan)
        parts = tally.model_dump(exclude={"total"})
        assert sum(parts.values()) == tally.total
    assert counted.scenes == sum(group.scenes for group in found)
    assert counted.failed == sum(g.scenes for g in found if g.status is SceneStatus.FAILED)
