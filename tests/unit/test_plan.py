"""What one press makes, for every sentence there can be and everything that can be asked for."""

from itertools import chain, combinations, product
from uuid import UUID

import pytest

from services.coordinator.plan import Plan, Skip, make_plan
from shared.contracts.project import Sentence
from shared.contracts.scene import Artifact, Stage

IMAGE, VIDEO = Stage.IMAGE, Stage.VIDEO
PICTURE = Artifact(key="a/b.png", media_type="image/png", size=1, width=8, height=8)
CLIP = Artifact(key="a/b.mp4", media_type="video/mp4", size=1, width=8, height=8)
ANY_STAGES = list(chain.from_iterable(combinations((IMAGE, VIDEO), count) for count in range(3)))
ASKED = [stages for stages in ANY_STAGES if stages]


def sentence(*, image: bool, video: bool, number: int = 1) -> Sentence:
    return Sentence(
        id=UUID(int=number),
        position=number,
        text="text",
        seed=1,
        image=PICTURE if image else None,
        video=CLIP if video else None,
    )


def plan_of_one(given: Sentence, stages: tuple[Stage, ...], replace: tuple[Stage, ...], busy: bool = False) -> object:
    """The stages planned for it, or why it was left out."""
    plan = make_plan([given], stages=stages, replace=replace, busy=frozenset({given.id} if busy else ()))
    assert (given.id in plan.stages) != (given.id in plan.skipped)
    return plan.stages.get(given.id) or plan.skipped[given.id]


EVERYTHING = list(product((False, True), (False, True), ASKED, ANY_STAGES))


@pytest.mark.parametrize(("image", "video", "stages", "replace"), EVERYTHING)
def test_every_press_on_every_sentence_makes_what_is_missing_and_no_more(
    image: bool, video: bool, stages: tuple[Stage, ...], replace: tuple[Stage, ...]
) -> None:
    planned = plan_of_one(sentence(image=image, video=video), stages, replace)

    if stages == (IMAGE,):
        expected: object = (IMAGE,) if not image or IMAGE in replace else Skip.NOTHING_TO_DO
    elif stages == (VIDEO,):
        missing = (VIDEO,) if not video or VIDEO in replace else Skip.NOTHING_TO_DO
        expected = Skip.NO_IMAGE if missing == (VIDEO,) and not image else missing
    elif not image or IMAGE in replace:
        expected = (IMAGE, VIDEO)
    else:
        expected = (VIDEO,) if not video or VIDEO in replace else Skip.NOTHING_TO_DO
    assert planned == expected


@pytest.mark.parametrize(("image", "video", "stages", "replace"), EVERYTHING)
def test_a_busy_sentence_is_never_planned(
    image: bool, video: bool, stages: tuple[Stage, ...], replace: tuple[Stage, ...]
) -> None:
    assert plan_of_one(sentence(image=image, video=video), stages, replace, busy=True) is Skip.BUSY


@pytest.mark.parametrize(("image", "video", "stages", "replace"), EVERYTHING)
def test_no_plan_makes_what_was_not_asked_for_or_a_video_without_an_image(
    image: bool, video: bool, stages: tuple[Stage, ...], replace: tuple[Stage, ...]
) -> None:
    planned = plan_of_one(sentence(image=image, video=video), stages, replace)
    if isinstance(planned, tuple):
        assert set(planned) <= set(stages)
        assert planned == tuple(stage for stage in Stage if stage in planned), "the image comes first"
        assert VIDEO not in planned or IMAGE in planned or image


def test_the_plan_keeps_the_order_of_the_story_and_counts_its_stages() -> None:
    story = [
        sentence(number=3, image=False, video=False),
        sentence(number=1, image=True, video=False),
        sentence(number=2, image=True, video=True),
    ]
    plan = make_plan(story, stages=(IMAGE, VIDEO), replace=())
    assert list(plan.stages) == [UUID(int=3), UUID(int=1)]
    assert (plan.count(IMAGE), plan.count(VIDEO)) == (1, 2)
    assert plan.skipped == {UUID(int=2): Skip.NOTHING_TO_DO}


def test_no_sentences_are_no_plan() -> None:
    assert make_plan([], stages=(IMAGE, VIDEO), replace=(IMAGE,)) == Plan({}, {})


# Planted faults that were tried against this file, all caught: `replace` ignored; a new image without its video;
# a video planned without an image; a busy sentence planned; stages in the wrong order.
