"""A worker from its start to its end: loading, why it cannot start, a device that is lost, taking turns."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from shared.contracts.events import ScenePreviewed
from shared.generator import PREVIEW_BYTES
from shared.worker_process import DEVICE_LOST
from tests.fixtures.checker import check
from tests.fixtures.stack import SHORT_LEASE, Service, Stack, eventually, free_port
from tests.fixtures.watcher import watching

TOKEN = "s3cret-word"


def let_load(load: Path, said: str) -> None:
    """In one step: a generator that reads a file that is still empty takes that for the reason why it cannot load."""
    new = load.with_suffix(".new")
    new.write_text(said)
    new.replace(load)


def told(stack: Stack, stage: str = "image") -> dict[str, Any]:
    """What the worker of this stage said last; empty where nobody was heard of."""
    workers = stack.api.get("/workers").json()["workers"]
    return next((worker for worker in workers if worker["stage"] == stage), {})


def says(stack: Stack, state: str, detail: str, stage: str = "image") -> None:
    eventually(
        lambda: (told(stack, stage).get("state"), told(stack, stage).get("detail")) == (state, detail),
        what=f"the {stage} worker to say {state}: {detail}",
    )


def test_loading_is_told_part_by_part_and_no_job_is_taken_before_its_end(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    load = stack.folder / "load"
    let_load(load, "0")
    stack.coordinator()
    stack.worker("image", SCRIPTED_LOAD=str(load))
    says(stack, "starting", "loading 1 of 3: text encoder")
    run = stack.press(stack.project(["waits for the model"])["project"]["id"], stages=["image"])
    let_load(load, "2")
    says(stack, "starting", "loading 3 of 3: decoder")
    assert told(stack)["generator"] == "tests.generators:Scripted"
    eventually(lambda: stack.ready("image") == 1, what="the job on the queue")
    assert stack.run(run["id"])["scenes"][0]["status"] == "queued"
    let_load(load, "3")
    assert stack.ended(run["id"])["run"]["images"]["done"] == 1
    says(stack, "idle", "")
    assert told(stack)["generator"] == "scripted"


def test_a_worker_that_loads_ends_in_order_when_it_is_told_to(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    load = stack.folder / "load"
    let_load(load, "1")
    stack.coordinator()
    worker = stack.worker("image", SCRIPTED_LOAD=str(load))
    says(stack, "starting", "loading 2 of 3: model")
    assert worker.stop(timeout_s=10) == 0
    assert "Traceback" not in worker.text()
    eventually(lambda: told(stack) == {}, what="the worker to be forgotten")


def test_a_model_that_cannot_be_loaded_ends_the_worker_and_the_creator_learns_why(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    why = "IMAGE_MODEL=nobody/nothing is not on this machine: run `make models`."
    load = stack.folder / "load"
    let_load(load, "1")
    stack.coordinator()
    worker = stack.worker("image", SCRIPTED_LOAD=str(load))
    says(stack, "starting", "loading 2 of 3: model")
    let_load(load, why)
    assert worker.process
    assert worker.process.wait(20) == 2
    assert worker.text().splitlines()[-1] == f"image-worker: {why}"
    says(stack, "failed", why)
    run = stack.press(stack.project(["nobody makes it"])["project"]["id"], stages=["image"])
    notice = eventually(lambda: stack.run(run["id"])["run"]["notice"], what="the notice")
    assert notice == {"cause": "no_image_worker", "message": f"The image worker does not run: {why}"}
    let_load(load, "3")
    worker.start()
    ended = stack.ended(run["id"])["run"]
    assert (ended["images"]["done"], ended["notice"]) == (1, None)
    says(stack, "idle", "")


def test_a_worker_is_not_ready_while_it_loads(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    load, port = stack.folder / "load", free_port()
    let_load(load, "1")
    stack.coordinator()
    stack.worker("image", SCRIPTED_LOAD=str(load), IMAGE_WORKER_PORT=str(port))

    def ready() -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{port}/readyz")

    eventually(lambda: ready().text == "loading 2 of 3: model\n", what="the probe to tell what is loaded")
    assert ready().status_code == 503
    let_load(load, "3")
    eventually(lambda: ready().status_code == 200, what="the worker being ready")


def test_a_worker_shows_its_metrics_to_who_has_the_token_and_its_probes_to_all(sqlite_stack: Stack) -> None:
    port = free_port()
    sqlite_stack.worker("image", IMAGE_WORKER_PORT=str(port), API_TOKEN=TOKEN)

    def got(path: str, authorization: str = "") -> httpx.Response:
        headers = {"Authorization": authorization} if authorization else {}
        return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers)

    eventually(lambda: got("/readyz").status_code == 200, what="the worker being ready")
    assert got("/healthz").status_code == 200
    for given in ("", "Bearer wrong", f"Basic {TOKEN}", TOKEN):
        refused = got("/metrics", given)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "videogen" not in refused.text
        assert TOKEN not in refused.text
    told = got("/metrics", f"Bearer {TOKEN}")
    assert (told.status_code, "videogen_worker_busy" in told.text) == (200, True)


def test_what_a_job_will_look_like_is_shown_a_few_times_a_second_and_never_stored(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.coordinator()
    stack.worker("image")
    with watching(stack) as heard:
        run = stack.press(stack.project(["shows itself take:2 preview"])["project"]["id"], stages=["image"])
        scene = stack.ended(run["id"])["scenes"][0]
        eventually(lambda: any(event.type == "scene_changed" for event in heard), what="the change of the scene")
    shown = [event for event in heard if isinstance(event, ScenePreviewed)]
    begun, ended = (line["at"] for line in stack.history())
    assert 3 <= len(shown) <= 4 * (ended - begun) + 2
    assert {(str(event.scene_id), event.stage, event.attempt) for event in shown} == {(scene["id"], "image", 1)}
    pictures = [base64.b64decode(event.picture) for event in shown]
    assert all(picture.startswith(b"\xff\xd8") and len(picture) <= PREVIEW_BYTES for picture in pictures)
    assert len(set(pictures)) == len(pictures), "each is the latest, and none is shown twice"
    assert all(picture not in (stack.folder / "studio.db").read_bytes() for picture in pictures)


@contextmanager
def supervised(worker: Service) -> Iterator[list[int]]:
    """Start the worker again whenever it ends; how it ended, each time."""
    codes: list[int] = []
    stop = threading.Event()

    def supervise() -> None:
        while not stop.wait(0.1):
            if worker.process and not worker.running:
                codes.append(worker.process.returncode)
                worker.start()

    supervisor = threading.Thread(target=supervise)
    supervisor.start()
    try:
        yield codes
    finally:
        stop.set()
        supervisor.join()


def test_a_lost_device_ends_the_worker_with_its_own_code_and_another_one_makes_the_job(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.crashed = True
    stack.coordinator()
    stack.worker("video")
    worker = stack.worker("image")
    with supervised(worker) as codes:
        run = stack.press(stack.project(["good", "lost once image/lose:1", "good too"])["project"]["id"])
        detail = stack.ended(run["id"])
    assert codes == [DEVICE_LOST]
    assert [scene["status"] for scene in detail["scenes"]] == ["done", "done", "done"]
    assert "Traceback" not in worker.text()
    assert check(stack) == []


def test_a_job_that_loses_the_device_three_times_fails_and_the_others_go_on(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.crashed = True
    stack.coordinator()
    worker = stack.worker("image")
    with supervised(worker) as codes:
        run = stack.press(stack.project(["fine", "poison lose", "fine too"])["project"]["id"], stages=["image"])
        detail = stack.ended(run["id"])
        eventually(lambda: len(codes) == 3, what="the third end")
    assert set(codes) == {DEVICE_LOST}
    assert [scene["status"] for scene in detail["scenes"]] == ["done", "failed", "done"]
    assert (detail["failures"][0]["cause"], detail["scenes"][1]["crashes"]) == ("worker_crashed", 3)
    assert check(stack) == []


def test_a_job_whose_device_is_lost_goes_back_at_once_and_the_creator_learns_why(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.crashed = True
    # A lease that would outlast the test, and nobody who starts the worker again.
    stack.coordinator(LEASE_TICKS="1000")
    worker = stack.worker("image")
    run = stack.press(stack.project(["lost lose"])["project"]["id"], stages=["image"])
    eventually(lambda: not worker.running, what="the end of the worker")
    eventually(lambda: stack.run(run["id"])["scenes"][0]["crashes"] == 1, what="the job to go back")
    says(stack, "failed", "it lost its device: an illegal memory access was encountered")
    stack.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    stack.ended(run["id"])


def test_a_generator_that_stands_still_is_given_up_and_the_run_goes_on(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.crashed = True
    stack.coordinator()
    worker = stack.worker("image", STALL_S="2")
    project = stack.project(["slow but moving take:5", "hang", "fine"])["project"]["id"]
    with supervised(worker) as codes:
        run = stack.press(project, stages=["image"])
        detail = stack.ended(run["id"], within_s=120)
        eventually(lambda: len(codes) == 3, what="the third end")
    assert set(codes) == {DEVICE_LOST}
    assert [scene["status"] for scene in detail["scenes"]] == ["done", "failed", "done"]
    assert detail["failures"][0]["cause"] == "worker_crashed"
    assert check(stack) == []


def test_a_cancel_is_over_although_the_generator_does_not_listen(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.settings |= SHORT_LEASE
    stack.coordinator()
    worker = stack.worker("image")
    project = stack.project(["hang"])["project"]["id"]
    run = stack.press(project)
    eventually(stack.history, what="the job")
    stack.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    assert stack.ended(run["id"])["run"]["status"] == "cancelled"
    assert stack.press(project)["status"] == "running", "the storyboard can be made again"
    worker.kill()


def test_two_workers_of_one_name_do_not_end_each_others_jobs(sqlite_stack: Stack, tmp_path: Path) -> None:
    """As on two machines of one name, which have no lock in common."""
    stack = sqlite_stack
    stack.coordinator()
    stack.worker("video")
    for number in (1, 2):
        temporary = tmp_path / f"machine-{number}"
        temporary.mkdir()
        name = f"one name@{stack.folder.name}"
        stack.add(f"image-{number}", "services.image_worker", WORKER_NAME=name, TMPDIR=str(temporary))
    run = stack.press(stack.project([f"{number} take:3" for number in range(4)])["project"]["id"])
    ended = stack.ended(run["id"])["run"]
    assert (ended["images"]["done"], ended["failed"]) == (4, 0)
    eventually(lambda: "one_name_for_two_workers" in stack.services["coordinator"].text(), what="the log to say so")
