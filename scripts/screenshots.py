"""Pictures of each page in each of its states, light and dark, on a desk and on a phone, into `docs/screenshots`.

Starts a studio of its own, whose workers draw real cards and stop where a picture is to be taken.

    python -m scripts.screenshots                  all of them
    python -m scripts.screenshots upright preview  those of these states
"""

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from scripts.broker import PORTS, Broker
from scripts.chromium import running_chromium
from scripts.ports import free_block
from shared.contracts.scene import Stage
from shared.generator import Cancelled, GenerationFailed, Job, OnPreview, OnStep, Rendered, Stopped
from tests.fixtures.stack import Stack, eventually, running_stack

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
DESK, PHONE = (1440, 900), (390, 844)
SOON = 15_000  #: ms
LONG = 240_000

TITLE = "The keeper's door"
STYLE = "ink and wash, muted colours"
STORY = [
    "The lighthouse had been dark for eleven years.",
    "Then, one evening in late October, Mara found the door standing open.",
    "A lantern burned at the foot of the stairs, and nobody answered when she called.",
    "She climbed.",
    "Every step hummed a little, like a string that somebody had just let go.",
    "At the top, the great lamp was turning again, slowly, throwing gold across the sea.",
    "Far out, a ship that was not on any chart turned its bow toward the light.",
    "Mara put her hand on the glass, and it was warm.",
    "By midnight the whole village stood on the cliffs and watched.",
    "No one spoke of the keeper, who had walked into the storm.",
    "The ship came in under full sail, without a sound.",
    "On its deck stood a man with a lantern, and he raised it once.",
    "“You are late,” she said, and heard her own voice shake.",
    "“The tide was long,” he answered.",
    "They carried the oil up together, two cans at a time.",
    "In the kitchen the old clock had started again.",
    "He told her where he had been, and she believed half of it.",
    "Rain came over the water in long grey curtains.",
    "In the morning the ship was gone.",
    "The logbook lay open on the table, its last page still wet.",
    "Someone had written the date, and under it a single word.",
    "She read it twice and closed the book.",
    "Then she went up to trim the wick.",
    "The light has not gone out since.",
]


class Posing:
    """A generator for pictures: draws as animatic does, and does what the file POSE says at a scene.

    A line such as `image 5 hold 0.6` stops at that share of the work until the line is gone;
    `image 2 show 0.6` does, too, and shows what it will look like; `video 3 fail out_of_memory` fails.
    """

    name = "animatic"
    on_preview: OnPreview = staticmethod(lambda _: None)

    def generate(self, job: Job, on_step: OnStep, cancelled: Cancelled) -> Rendered:
        while order := self._order(job):
            what, value = order
            if what == "fail":
                raise GenerationFailed(value, FAILURES[value], retryable=False, detail=DETAIL)
            on_step(float(value))
            if what == "show":
                self.on_preview(_preview(job))
            if cancelled():
                raise Stopped
            time.sleep(0.1)
        if job.stage is Stage.IMAGE:
            from services.image_worker.animatic import Animatic as Image

            return Image().generate(job, on_step, cancelled)
        from services.video_worker.animatic import Animatic as Video

        return Video().generate(job, on_step, cancelled)

    def _order(self, job: Job) -> tuple[str, str] | None:
        for line in Path(os.environ["POSE"]).read_text().splitlines():
            stage, number, what, value = line.split()
            if stage == job.stage and int(number) == job.number:
                return what, value
        return None


@lru_cache(maxsize=1)
def _preview(job: Job) -> bytes:
    """As small and rough as one that comes from latents."""
    from services.image_worker.animatic import Animatic

    made = Animatic().generate(job, lambda _: None, lambda: False)
    picture = Image.open(io.BytesIO(made.data)).convert("RGB").resize((128, 72))
    noise = Image.effect_noise(picture.size, 60).convert("RGB")
    file = io.BytesIO()
    Image.blend(picture, noise, 0.25).save(file, "JPEG", quality=80)
    return file.getvalue()


FAILURES = {
    "out_of_memory": "The GPU has too little memory for 1280 x 720 pictures of this length.",
    "bad_prompt": "The model refuses this prompt.",
}
DETAIL = """\
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.69 GiB.
GPU 0 has a total capacity of 11.75 GiB of which 1.02 GiB is free.
  at step 11 of 30, decoding latents of 1 x 16 x 25 x 90 x 160"""


class Studio:
    """The services, what they are told to pose, and projects in the states that are to be seen."""

    def __init__(self, stack: Stack, pose: Path) -> None:
        self.stack = stack
        self._pose = pose

    def pose(self, *lines: str) -> None:
        self._pose.write_text("\n".join(lines))

    def project(self, title: str = TITLE, story: list[str] | None = None, **more: Any) -> str:
        size = {"width": 1280, "height": 720, "seconds": 2, "fps": 12}
        made = self.stack.project(
            STORY if story is None else story, **{"title": title, "style": STYLE, "size": size} | more
        )
        return str(made["project"]["id"])

    def finish(self, project_id: str, **asked: Any) -> None:
        run = self.stack.press(project_id, **asked)
        self.stack.ended(run["id"], within_s=600)
        self.stack.api.post(f"/runs/{run['id']}/seen").raise_for_status()

    def images(self, project_id: str, count: int) -> None:
        ids = [sentence["id"] for sentence in self.stack.storyboard(project_id)["sentences"][:count]]
        self.finish(project_id, stages=["image"], sentence_ids=ids)

    def videos(self, project_id: str, count: int) -> None:
        ids = [sentence["id"] for sentence in self.stack.storyboard(project_id)["sentences"][:count]]
        self.finish(project_id, stages=["image", "video"], sentence_ids=ids)


Shoot = Callable[[str], None]
State = Callable[[Studio, "Camera"], None]


class Camera:
    """One browser; each picture is taken in every theme and on every screen, of the page as it then is."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder

    def shoot(
        self,
        name: str,
        url: str,
        prepare: Callable[[Page], object] = lambda _: None,
        *,
        phone: bool = True,
        untold: bool = False,
    ) -> None:
        """Open `url`, let `prepare` bring it into its state, and take the picture. `untold`: with the end's toast."""
        for screen, size in (("desk", DESK), ("phone", PHONE)):
            if screen == "phone" and not phone:
                continue
            for theme in ("dark", "light"):
                with self._context(size, theme, screen == "phone") as context:
                    page = context.new_page()
                    if untold:
                        # Each of these pages is the first to tell of the end.
                        page.route("**/seen", lambda route: route.fulfill(status=202, json=None))
                    page.goto(url)
                    page.wait_for_load_state("load")
                    page.locator("main").first.wait_for(timeout=SOON)
                    page.wait_for_timeout(900)
                    prepare(page)
                    page.wait_for_timeout(700)
                    self._save(page.screenshot(animations="disabled"), f"{name}-{screen}-{theme}.png")

    @contextmanager
    def _context(self, size: tuple[int, int], theme: str, phone: bool) -> Any:
        context: BrowserContext = self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
            has_touch=phone,
            is_mobile=phone,
            device_scale_factor=1.5 if phone else 1,
        )
        yield context
        context.close()

    def _save(self, png: bytes, name: str) -> None:
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        small = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=3)
        small.save(self._folder / name, optimize=True)
        print(f"  {name}", flush=True)


def projects(studio: Studio, camera: Camera) -> None:
    camera.shoot("projects-empty", studio.stack.url)
    camera.shoot("new-empty", f"{studio.stack.url}/projects/new")

    def script(page: Page) -> None:
        page.get_by_role("button", name="Try an example").click()
        page.get_by_label("Title").fill(TITLE)
        page.get_by_label("Sentence 1", exact=True).wait_for()

    camera.shoot("new", f"{studio.stack.url}/projects/new", script)
    for title, story, images, videos in (
        ("Night shift at the bakery", STORY[2:8], 6, 6),
        ("How rivers are born", STORY[6:14], 8, 3),
        ("A letter to nobody", STORY[9:17], 5, 0),
        ("Untold", STORY[:12], 0, 0),
    ):
        project_id = studio.project(title, story)
        if images:
            studio.images(project_id, images)
        if videos:
            studio.videos(project_id, videos)
    camera.shoot("projects", studio.stack.url, lambda page: page.locator("img").first.wait_for())


def storyboard(studio: Studio, camera: Camera) -> None:
    """From the first look to the end of a run, with a stop at every state between."""
    url = f"{studio.stack.url}/projects/"
    board = url + studio.project()
    project_id = board.rsplit("/", 1)[1]
    camera.shoot("storyboard-new", board)
    studio.images(project_id, 15)
    camera.shoot("storyboard-some", board)
    camera.shoot(
        "menu", board, lambda page: page.get_by_role("button", name="Actions for scene 2").click(), phone=False
    )
    camera.shoot(
        "options", board, lambda page: page.get_by_role("button", name="What to generate").click(), phone=False
    )
    camera.shoot("editing", board, lambda page: page.get_by_title("Edit text and prompt").nth(1).click())
    camera.shoot("keyboard", board, lambda page: page.keyboard.press("?"), phone=False)
    camera.shoot("workers", board, lambda page: page.get_by_role("button", name="worker").click(), phone=False)
    camera.shoot("add-sentence", board, lambda page: page.keyboard.press("n"), phone=False)
    camera.shoot("settings", board, lambda page: page.get_by_role("button", name="Project settings").click())

    studio.pose("image 18 hold 0.62", "video 3 fail out_of_memory", "video 6 hold 0.41", "video 8 fail out_of_memory")
    run = studio.stack.press(project_id)
    _settled(studio, run["id"], "images", 2)
    camera.shoot("running-images", board)
    studio.pose("video 3 fail out_of_memory", "video 6 hold 0.41", "video 8 fail out_of_memory")
    _settled(studio, run["id"], "videos", 5)
    camera.shoot("running-videos", board)
    _break_the_connection(studio, camera, board)
    studio.stack.api.post(f"/runs/{run['id']}/pause").raise_for_status()
    camera.shoot("paused", board)
    studio.stack.api.post(f"/runs/{run['id']}/resume").raise_for_status()
    studio.pose("video 3 fail out_of_memory", "video 8 fail out_of_memory", "video 11 fail bad_prompt")
    studio.stack.ended(run["id"], within_s=600)
    _look_back(camera, board, studio)


def _settled(studio: Studio, run_id: str, stage: str, count: int) -> None:
    def reached() -> bool:
        counts = studio.stack.run(run_id)["run"][stage]
        return bool(counts["done"] + counts["failed"] >= count and counts["running"])

    eventually(reached, within_s=300, what=f"{count} {stage}")


def _break_the_connection(studio: Studio, camera: Camera, board: str) -> None:
    def lost(page: Page) -> None:
        expect(page.locator("[data-connection=reconnecting]")).to_be_visible(timeout=SOON)

    studio.stack.services["notifier"].kill()
    camera.shoot("reconnecting", board, lost, phone=False)
    studio.stack.restart("notifier")


def _look_back(camera: Camera, board: str, studio: Studio) -> None:
    """The run has ended with failures: the toast, the dialog, a scene."""
    camera.shoot("done-with-failures", board, untold=True)
    camera.shoot("errors", board, lambda page: page.get_by_role("button", name="failed", exact=False).first.click())
    project_id = board.rsplit("/", 1)[1]
    sentence = studio.stack.storyboard(project_id)["sentences"][0]["id"]
    studio.finish(project_id, replace=["image"], sentence_ids=[sentence])

    def scene(page: Page) -> None:
        page.get_by_role("button", name="Open scene 1").first.click()
        page.get_by_role("region", name="Images: takes").wait_for()
        page.wait_for_function("() => [...document.querySelectorAll('video')].every((video) => video.readyState === 4)")

    camera.shoot("scene", board, scene)
    camera.shoot(
        "scene-failed", board, lambda page: page.get_by_role("button", name="Open scene 3").first.click(), phone=False
    )
    second = studio.stack.storyboard(project_id)["sentences"][1]["id"]
    changed = {"text": "Then, one evening in late October, Mara found the door wide open."}
    studio.stack.api.patch(f"/projects/{project_id}/sentences/{second}", json=changed).raise_for_status()
    camera.shoot("edited", board, phone=False)


def toast(studio: Studio, camera: Camera) -> None:
    project_id = studio.project("Three steps", STORY[:3])
    studio.stack.ended(studio.stack.press(project_id)["id"], within_s=600)
    camera.shoot("done", f"{studio.stack.url}/projects/{project_id}", untold=True)


def upright(studio: Studio, camera: Camera) -> None:
    size = {"width": 720, "height": 1280, "seconds": 2, "fps": 12}
    project_id = studio.project("Upright, for phones", STORY[:8], size=size)
    studio.images(project_id, 8)
    camera.shoot("upright", f"{studio.stack.url}/projects/{project_id}")


def blanks(studio: Studio, camera: Camera) -> None:
    camera.shoot("storyboard-empty", f"{studio.stack.url}/projects/{studio.project('Nothing yet', [])}")
    camera.shoot("missing", f"{studio.stack.url}/projects/00000000-0000-4000-8000-000000000000")
    camera.shoot("nowhere", f"{studio.stack.url}/nowhere", phone=False)


def no_worker(studio: Studio, camera: Camera) -> None:
    project_id = studio.project("Nobody is there", STORY[:8])
    for name in ("image-worker", "video-worker"):
        studio.stack.services[name].stop()
    eventually(lambda: not studio.stack.api.get("/workers").json()["workers"], what="the workers being gone")
    url = f"{studio.stack.url}/projects/{project_id}"
    camera.shoot("no-worker", url, phone=False)
    run = studio.stack.press(project_id)
    eventually(lambda: studio.stack.run(run["id"])["run"]["notice"], within_s=60, what="the notice")
    camera.shoot("no-worker-running", url)
    studio.stack.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    for name in ("image-worker", "video-worker"):
        studio.stack.services[name].start()


def workers(studio: Studio, camera: Camera) -> None:
    """One that is on its way, and one that cannot start."""
    worker = studio.stack.services["image-worker"]

    def says(state: str, word: str) -> None:
        def said() -> bool:
            told = studio.stack.api.get("/workers").json()["workers"]
            return any((one["state"] == state and word in one["detail"]) for one in told)

        eventually(said, within_s=60, what=f"a worker that says {word}")

    def panel(page: Page) -> None:
        page.get_by_role("button", name="worker").click()

    project_id = studio.project("It takes a minute", STORY[:8])
    worker.stop()
    load = studio.stack.folder / "load"
    load.write_text("1")
    worker.start(BACKEND="tests.generators:Scripted", SCRIPTED_LOAD=str(load))
    says("starting", "loading 2 of 3")
    run = studio.stack.press(project_id)
    camera.shoot("worker-loading", f"{studio.stack.url}/projects/{project_id}", panel, phone=False)
    studio.stack.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    worker.stop()
    project_id = studio.project("Something is missing", STORY[:8])
    # No model is in an empty folder.
    worker.start(BACKEND="diffusers", HF_HOME=str(studio.stack.folder / "no-models"))
    says("failed", "IMAGE_MODEL")
    camera.shoot("worker-failed", f"{studio.stack.url}/projects/{project_id}", panel, phone=False)
    worker.start()


def preview(studio: Studio, camera: Camera) -> None:
    project_id = studio.project("What it will be", STORY[4:12])
    studio.images(project_id, 2)
    studio.pose("image 3 show 0.7")
    run = studio.stack.press(project_id)

    def shown(page: Page) -> None:
        picture = page.locator("img[data-preview]")
        picture.wait_for(timeout=LONG)
        picture.scroll_into_view_if_needed()

    camera.shoot("preview", f"{studio.stack.url}/projects/{project_id}", shown)
    studio.stack.api.post(f"/runs/{run['id']}/cancel").raise_for_status()


def login(studio: Studio, camera: Camera) -> None:
    coordinator = studio.stack.services["coordinator"]
    coordinator.stop()
    coordinator.start(API_TOKEN="a-token-for-pictures")  # noqa: S106 - of this minute
    eventually(lambda: studio.stack.api.get("/config").status_code == 401, what="the locked coordinator")
    camera.shoot("login", studio.stack.url, lambda page: page.get_by_label("Token").wait_for())
    coordinator.stop()
    studio.stack.restart("coordinator")


def away(studio: Studio, camera: Camera) -> None:
    """The studio does not answer."""

    def cut(page: Page) -> None:
        page.route("**/api/**", lambda route: route.abort())
        page.reload()
        page.get_by_text("The studio does not answer").first.wait_for(timeout=60_000)

    camera.shoot("away", studio.stack.url, cut, phone=False)


STATES: dict[str, State] = {
    "projects": projects,
    "storyboard": storyboard,
    "toast": toast,
    "upright": upright,
    "blanks": blanks,
    "no-worker": no_worker,
    "workers": workers,
    "preview": preview,
    "login": login,
    "away": away,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("states", nargs="*", choices=[*STATES, []], metavar="STATE", help=", ".join(STATES))
    parser.add_argument("--out", type=Path, default=FOLDER)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="videogen-screenshots-") as folder, running_chromium() as browser:
        pose = Path(folder) / "pose"
        pose.touch()
        # Workers are called after it.
        home = Path(folder) / "studio"
        home.mkdir()
        settings = {"BACKEND": "scripts.screenshots:Posing", "POSE": str(pose), "PRESENCE_S": "1"}
        with (
            Broker(Path(folder) / "broker", free_block(PORTS)) as broker,
            running_stack(broker.url, broker.management_url, f"sqlite:///{home}/studio.db", home, **settings) as stack,
        ):
            stack.start()
            stack.notifier()
            camera = Camera(browser, asked.out)
            for name in asked.states or STATES:
                print(name, flush=True)
                pose.write_text("")
                STATES[name](Studio(stack, pose), camera)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
