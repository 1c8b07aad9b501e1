"""BACKEND=diffusers in the real workers, over the real bus: from a sentence to an image, to a video, to files."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from tests.diffusion.conftest import Shelf
from tests.fixtures.stack import ROOT, Stack, eventually, running_stack

#: Each process imports torch and diffusers first.
pytestmark = pytest.mark.timeout(240)

SIZE = {"width": 128, "height": 64, "seconds": 0.5, "fps": 24}


@pytest.fixture
def studio(shelf: Shelf, amqp: tuple[str, str], tmp_path: Path) -> Iterator[Stack]:
    settings = {
        "BACKEND": "diffusers",
        "IMAGE_MODEL": str(shelf["z-image"]),
        "VIDEO_MODEL": str(shelf["wan-5b"]),
        "VIDEO_STEPS": "3",
        "DEVICE": "cpu",
        "OMP_NUM_THREADS": "1",
    }
    with running_stack(*amqp, f"sqlite:///{tmp_path}/studio.db", tmp_path, **settings) as stack:
        yield stack


def fetched(stack: Stack, artifact: dict[str, Any]) -> bytes:
    answer = stack.api.get(f"/artifacts/{artifact['key']}")
    assert answer.headers["content-type"] == artifact["media_type"]
    return answer.content


def test_a_story_becomes_images_and_videos(studio: Stack) -> None:
    studio.start()
    sentences = ["A lighthouse wakes at dusk.", "Its keeper counts the boats."]
    project = studio.project(sentences, style="woodcut", size=SIZE)["project"]["id"]
    studio.ended(studio.press(project)["id"], within_s=90)
    first = studio.storyboard(project)["sentences"]
    for sentence in first:
        with Image.open(io.BytesIO(fetched(studio, sentence["image"]))) as picture:
            assert (picture.format, picture.size) == ("WEBP", (128, 64))
        with av.open(io.BytesIO(fetched(studio, sentence["video"]))) as file:
            stream = file.streams.video[0]
            assert (stream.width, stream.height, stream.frames) == (128, 64, 13)
            assert stream.average_rate == 24
        assert sentence["video"]["seconds"] == pytest.approx(13 / 24)


def test_a_cancel_stops_the_picture_in_hand_and_the_worker_makes_the_next(studio: Stack) -> None:
    studio.coordinator()
    worker = studio.worker("image", IMAGE_STEPS="100")
    large = {**SIZE, "width": 768, "height": 768}
    project = studio.project(["A long picture."], size=large)["project"]["id"]
    run = studio.press(project, stages=["image"])["id"]
    running = lambda: studio.run(run)["scenes"][0]["status"] == "running"  # noqa: E731
    eventually(running, within_s=60, what="the scene running")
    studio.api.post(f"/runs/{run}/cancel").raise_for_status()
    eventually(lambda: studio.run(run)["run"]["status"] == "cancelled", what="the run being cancelled")
    small = studio.project(["A small picture."], size={**SIZE, "width": 64})["project"]["id"]
    ended = studio.ended(studio.press(small, stages=["image"])["id"])
    assert ended["run"]["images"]["done"] == 1
    assert worker.running


def test_the_same_seed_makes_the_same_image_in_another_process(studio: Stack) -> None:
    studio.coordinator()
    studio.worker("image")
    project = studio.project(["A fox in snow."], size=SIZE)
    project_id = project["project"]["id"]
    studio.ended(studio.press(project_id, stages=["image"])["id"], within_s=60)
    before = studio.storyboard(project_id)["sentences"][0]["image"]
    studio.services["image-worker"].stop()
    studio.restart("image-worker")
    studio.ended(studio.press(project_id, stages=["image"], replace=["image"])["id"], within_s=60)
    after = studio.storyboard(project_id)["sentences"][0]["image"]
    assert before["key"] != after["key"]
    assert fetched(studio, before) == fetched(studio, after)


def test_a_worker_gives_its_job_back_within_a_step_when_it_is_told_to_end(studio: Stack) -> None:
    studio.coordinator()
    worker = studio.worker("image", IMAGE_STEPS="200")
    project = studio.project(["A long picture."], size={**SIZE, "width": 512, "height": 512})["project"]["id"]
    run = studio.press(project, stages=["image"])["id"]
    eventually(lambda: studio.run(run)["scenes"][0]["status"] == "running", within_s=60, what="the scene running")
    worker.signal(signal.SIGTERM)
    assert worker.stop(timeout_s=15) == 0
    eventually(lambda: studio.run(run)["scenes"][0]["status"] in ("waiting", "queued"), what="the job being back")
    assert studio.run(run)["scenes"][0]["crashes"] == 0


@pytest.mark.parametrize(
    ("stage", "environment", "said"),
    [
        ("image", {"IMAGE_MODEL": "nobody/nothing"}, "IMAGE_MODEL=nobody/nothing is not on this machine: run `make m"),
        ("video", {"VIDEO_MODEL": "nobody/nothing"}, "VIDEO_MODEL=nobody/nothing is not on this machine: run `make m"),
        ("image", {"IMAGE_STEPS": "0"}, "IMAGE_STEPS: Input should be greater than or equal to 1"),
        ("image", {"IMAGE_SIZE": "big"}, "IMAGE_SIZE: String should match"),
        ("video", {"DEVICE": "gpu"}, "DEVICE: String should match"),
    ],
)
def test_a_worker_that_cannot_start_says_in_one_sentence_why(
    amqp: tuple[str, str], stage: str, environment: dict[str, str], said: str
) -> None:
    settings = {
        "AMQP_URL": amqp[0],
        "BACKEND": "diffusers",
        "DEVICE": "cpu",
        f"{stage.upper()}_WORKER_PORT": "0",
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-m", f"services.{stage}_worker"],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 2
    assert any(said in line for line in done.stderr.splitlines() if line.startswith(f"{stage}-worker: "))
    assert "Traceback" not in done.stderr


def test_torch_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys, services.image_worker.__main__ as i, services.video_worker.__main__ as v\n"
        "from services.image_worker.settings import ImageWorkerSettings\n"
        "i.make_generator(ImageWorkerSettings(), lambda *told: None)\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'diffusers', 'transformers', 'huggingface_hub')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=180, check=False).returncode == 0
