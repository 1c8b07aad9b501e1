"""The page in a real browser: how large it is, how soon it can be used, and how soon an event is seen.

python -m bench page
"""

import gzip
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from bench.figures import Figure, quantile
from bench.servers import Servers
from scripts.chromium import running_chromium
from scripts.ports import LOOPBACK, free_block
from tests.fixtures.stack import ROOT

DIST = ROOT / "frontend" / "dist"
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
LIVE = 24  #: scenes that run at once
TICK_S = 0.1  #: between two events of one scene

# When each step of each scene was first in a painted frame: by the text that the card shows.
WATCH = """() => {
    window.painted = [];
    const look = (records) => {
        const found = [];
        for (const { target } of records) {
            const card = (target.parentElement ?? target).closest?.("article");
            const percent = card && /Making image (\\d+)%/.exec(card.innerText);
            if (percent) found.push([Number(card.parentElement.getAttribute("aria-posinset")), Number(percent[1])]);
        }
        if (!found.length) return;
        // A message that is sent within a frame arrives after it was drawn.
        requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => {
                const at = performance.timeOrigin + performance.now();
                for (const [number, percent] of found) window.painted.push([number, percent, at]);
            };
            port2.postMessage(null);
        });
    };
    new MutationObserver(look).observe(document.querySelector("main"), {
        subtree: true, childList: true, characterData: true,
    });
}"""

# The first card in a frame, and the end of the last long task: from then on a press is answered at once.
USABLE = """() => new Promise((resolve) => {
    let busy = 0;
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) busy = Math.max(busy, task.startTime + task.duration);
    }).observe({ type: "longtask", buffered: true });
    const look = () => {
        if (!document.querySelector("article")) return requestAnimationFrame(look);
        const shown = performance.now();
        setTimeout(() => resolve([shown, Math.max(shown, busy)]), 1500);
    };
    look();
})"""


def measure(servers: Servers, *, quick: bool) -> Iterator[Figure]:
    yield _size()
    with servers.studio() as stack, running_chromium() as browser:
        made = stack.project([f"This is sentence {number} of a long story." for number in range(1, 1001)])
        url = f"{stack.url}/projects/{made['project']['id']}"
        yield from _usable(browser, url, rounds=2 if quick else 7)
        yield _scrolled(browser, url)
        small = stack.project([f"This is sentence {number}." for number in range(1, LIVE + 1)])
        yield _findings(browser, f"{stack.url}/projects/{small['project']['id']}")
    port = free_block(1)
    with servers.studio(NOTIFIER_URL=f"ws://{LOOPBACK}:{port}", SCRIPTED_TAKE_S="3600") as stack:
        board = stack.project([f"This is sentence {number}." for number in range(1, LIVE + 1)])
        with running_chromium() as browser, _events(port, board) as told:
            url = f"{stack.url}/projects/{board['project']['id']}"
            yield _seen(browser, url, told, seconds=3 if quick else 8)


def _size() -> Figure:
    """All scripts that the first page loads, as they travel."""
    names = re.findall(r"/assets/[^\"']+\.js", (DIST / "index.html").read_text())
    sizes = {name: len(gzip.compress((DIST / name.lstrip("/")).read_bytes(), 6)) / 1000 for name in names}
    return Figure("page_js_kb", sum(sizes.values()), "kB", detail={"files": sizes})


def _usable(browser: Browser, url: str, rounds: int) -> Iterator[Figure]:
    shown, usable = [], []
    for _ in range(rounds):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(url, wait_until="commit")
        first, then = page.evaluate(USABLE)
        shown.append(first)
        usable.append(then)
        context.close()
    detail = {"sentences": 1000}
    yield Figure("page_shown_ms", quantile(shown, 0.5), "ms", shown, detail)
    yield Figure("page_usable_ms", quantile(usable, 0.5), "ms", usable, detail)


def _scrolled(browser: Browser, url: str) -> Figure:
    """Through all thousand, a screen at a time."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(url)
    page.locator("article").first.wait_for()
    page.wait_for_timeout(1000)
    frames: list[float] = page.evaluate(
        """async () => {
            const frames = [];
            let before = performance.now();
            for (let top = 0; top < document.body.scrollHeight; top += 300) {
                scrollTo(0, top);
                await new Promise(requestAnimationFrame);
                frames.push(performance.now() - before);
                before = performance.now();
            }
            return frames;
        }"""
    )
    most = page.locator("article").count()
    context.close()
    return Figure("page_scroll_frame_ms_p95", quantile(frames, 0.95), "ms", frames, {"cards_in_page": most})


def _findings(browser: Browser, url: str) -> Figure:
    found: list[str] = []
    for scheme in ("dark", "light"):
        context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900}, bypass_csp=True)
        page = context.new_page()
        page.goto(url)
        page.locator("article").first.wait_for()
        page.evaluate(AXE.read_text())
        result = page.evaluate("axe.run()")
        found += [f"{scheme} {violation['id']}" for violation in result["violations"]]
        context.close()
    return Figure("page_axe_findings", len(found), "", detail={"found": found})


class _Told:
    """What was sent and when, by scene and percent."""

    def __init__(self, board: dict[str, Any]) -> None:
        self.board = board
        self.sent: dict[tuple[int, int], float] = {}
        self.stop = threading.Event()

    def serve(self, connection: ServerConnection) -> None:
        """In the notifier's place: starts all scenes at once, then tells how far each of them is."""
        time.sleep(1.5)
        try:
            connection.send(json.dumps(self._started()))
            time.sleep(0.5)
            for percent in range(1, 100):
                for number in range(1, LIVE + 1):
                    if self.stop.wait(TICK_S / LIVE):
                        return
                    self.sent[number, percent] = time.time() * 1000
                    connection.send(json.dumps(self._progressed(number, percent)))
        except ConnectionClosed:
            return

    def _scene(self, number: int) -> dict[str, Any]:
        sentence = self.board["sentences"][number - 1]
        return {
            "id": f"00000000-0000-4000-8000-{number:012}",
            "run_id": "00000000-0000-4000-9000-000000000000",
            "project_id": self.board["project"]["id"],
            "sentence_id": sentence["id"],
            "number": number,
            "plan": ["image"],
            "stage": "image",
            "status": "running",
            "attempt": 1,
            "failures": 0,
            "crashes": 0,
            "stopping": None,
            "worker": "bench",
            "session": None,
            "image": None,
            "video": None,
            "failure": None,
            "version": 3,
            "changed_at": None,
        }

    def _started(self) -> dict[str, Any]:
        project = self.board["project"]
        scenes = [self._scene(number) for number in range(1, LIVE + 1)]
        head = {"v": 1, "type": "scene_changed", "project_id": project["id"], "seq": project["seq"] + 1}
        return head | {"scenes": scenes, "sentences": [], "run": None}

    def _progressed(self, number: int, percent: int) -> dict[str, Any]:
        scene = self._scene(number)
        return {
            "v": 1,
            "type": "scene_progressed",
            "project_id": scene["project_id"],
            "run_id": scene["run_id"],
            "scene_id": scene["id"],
            "sentence_id": scene["sentence_id"],
            "stage": "image",
            "attempt": 1,
            # A little more than the percent, so that rounding cannot take it away.
            "fraction": percent / 100 + 0.001,
        }


@contextmanager
def _events(port: int, board: dict[str, Any]) -> Iterator[_Told]:
    told = _Told(board)
    with serve(told.serve, LOOPBACK, port, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever, name="events")
        thread.start()
        try:
            yield told
        finally:
            told.stop.set()
            server.shutdown()
            thread.join()


def _seen(browser: Browser, url: str, told: _Told, seconds: float) -> Figure:
    """From the moment an event is sent to the frame that shows it, or a later one of the same scene."""
    page: Page = browser.new_context(viewport={"width": 1920, "height": 1600}).new_page()
    page.goto(url)
    page.locator("article").first.wait_for()
    page.evaluate(WATCH)
    page.get_by_text("Making image").first.wait_for()
    page.wait_for_timeout(seconds * 1000)
    told.stop.set()
    page.wait_for_timeout(500)
    painted: list[tuple[int, int, float]] = page.evaluate("window.painted")
    cards = page.locator("article").count()
    delays = []
    for (number, percent), sent in told.sent.items():
        later = [at for other, shown, at in painted if other == number and shown >= percent]
        if later:
            delays.append(min(later) - sent)
    assert cards == LIVE, f"only {cards} of {LIVE} cards are in sight"
    assert len(delays) > 0.95 * len(told.sent), "events were never seen"
    rate = len(told.sent) / seconds
    return Figure("page_event_ms_p95", quantile(delays, 0.95), "ms", delays, {"scenes": LIVE, "events_per_s": rate})
