"""The page in a real browser, over the real services: what a creator sees and does."""

import re
import signal
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Route, expect

from scripts.chromium import running_chromium
from tests.fixtures.stack import ROOT, Stack, eventually, running_stack

DIST = ROOT / "frontend" / "dist" / "index.html"
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"

SOON = 8_000  #: ms
LATER = 40_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert DIST.exists(), "the page is not built: run `scripts/setup frontend`"
    with running_chromium() as started:
        yield started


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser's profile of its own; a page that makes a mistake fails the test."""
    opened = browser.new_context(viewport={"width": 1280, "height": 900})
    mistakes: list[str] = []
    opened.on("weberror", lambda mistake: mistakes.append(str(mistake.error)))
    yield opened
    opened.close()
    assert not mistakes


@pytest.fixture(scope="module")
def studio(module_amqp: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One of each service, for tests that kill nothing."""
    folder = tmp_path_factory.mktemp("studio")
    with running_stack(*module_amqp, f"sqlite:///{folder}/studio.db", folder) as stack:
        yield _started(stack)


@pytest.fixture
def stack(amqp: tuple[str, str], tmp_path: Path) -> Iterator[Stack]:
    """One of each service, for a test that kills some of them."""
    with running_stack(*amqp, f"sqlite:///{tmp_path}/studio.db", tmp_path) as stack:
        yield _started(stack)


def _started(stack: Stack) -> Stack:
    stack.start()
    if "notifier" not in stack.services:
        stack.notifier()
    return stack


def sentences(count: int, prompt: str = "take:0.15", *, first: str = "") -> list[dict[str, Any]]:
    """`first`: the prompt of the first one, where a test must see it being made."""
    prompts = [first or prompt] + [prompt] * (count - 1)
    return [{"text": f"This is sentence {n} of the story.", "prompt": prompt} for n, prompt in enumerate(prompts, 1)]


def open_board(context: BrowserContext, stack: Stack, given: list[Any], **more: Any) -> tuple[Page, str]:
    project_id: str = stack.project(given, **more)["project"]["id"]
    return visit(context, stack, project_id), project_id


def visit(context: BrowserContext, stack: Stack, project_id: str) -> Page:
    page = context.new_page()
    page.goto(f"{stack.url}/projects/{project_id}")
    expect(page.locator("[data-connection=live]")).to_be_visible(timeout=SOON)
    return page


def generate(page: Page) -> Any:
    return page.locator("#generate")


def press(page: Page) -> None:
    page.get_by_role("button", name="Generate All Scenes").click()


def card(page: Page, number: int) -> Any:
    return page.locator(f'article[aria-label^="Scene {number}."]')


def passes(page: Page, number: int, text: str) -> None:
    """The card shows this, were it only for a moment: looked at in every frame, as `expect` does not."""
    page.wait_for_function(
        """([label, text]) => [...document.querySelectorAll("article")].some(
            (card) => card.ariaLabel.startsWith(label) && card.innerText.includes(text)
        )""",
        arg=[f"Scene {number}.", text],
        polling="raf",
        timeout=SOON,
    )


def counter(page: Page) -> tuple[int, int] | None:
    found = re.fullmatch(r"Generating\.\.\. \((\d+)/(\d+)\)", generate(page).inner_text())
    return (int(found[1]), int(found[2])) if found else None


def ended(page: Page, title: str) -> None:
    """The toast came, and the button is ready for another press."""
    expect(page.get_by_text(title, exact=True).first).to_be_visible(timeout=LATER)
    expect(generate(page)).to_have_text("Generate All Scenes", timeout=SOON)


def axe_findings(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    # What fades in is faint for a moment; spinners never end.
    page.wait_for_function(
        """() => document.getAnimations().every(
            (a) => a.playState !== "running" || a.effect.getComputedTiming().iterations === Infinity
        )"""
    )
    found = page.evaluate(
        "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
    )
    return [f"{v['id']}: {n['target']} {n['failureSummary']}" for v in found["violations"] for n in v["nodes"]]


def test_press_counter_rises_cards_fill_and_a_toast_comes(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, sentences(4, first="take:1"))
    expect(page.get_by_text("4 images, 4 videos")).to_be_visible()
    page.evaluate(
        """() => {
            window.texts = [];
            const button = document.querySelector("#generate");
            new MutationObserver(() => window.texts.push(button.innerText)).observe(button, {
                subtree: true, childList: true, characterData: true,
            });
        }"""
    )
    press(page)
    ended(page, "All 4 scenes are done")
    texts = [text for text in page.evaluate("window.texts") if text.startswith("Generating... (")]
    counts = list(dict.fromkeys(texts))
    # Images, then videos; each number once and in order, whatever was between two looks.
    assert counts[0] == "Generating... (0/4)"
    done = [int(re.findall(r"\d+", text)[0]) for text in texts]
    falls = sum(after < before for before, after in pairwise(done))
    assert falls <= 1, texts
    assert len(set(done)) >= 3, texts
    for number in range(1, 5):
        expect(card(page, number)).to_contain_text("Video ready")
        expect(card(page, number).locator("img")).to_have_count(1)
    expect(page.get_by_text("Every scene has its image and video")).to_be_visible()


def test_the_card_changes_in_the_frame_of_the_press(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, sentences(3, "take:0.5"))
    held: list[Route] = []
    page.route("**/generate-scenes", lambda route: held.append(route))  # noqa: PLW0108 - no built-in is taken
    shown = page.evaluate(
        """() => new Promise((resolve) => {
            document.querySelector("#generate").click();
            const look = () => resolve(document.querySelector("article").innerText);
            requestAnimationFrame(() => requestAnimationFrame(look));
        })"""
    )
    assert "Image is next" in shown
    expect(generate(page)).to_have_text("Generating...")

    def caught() -> bool:
        page.evaluate("() => null")  # Routes are called while the page is spoken to.
        return bool(held)

    eventually(caught, what="the request of the press")
    held[0].continue_()
    ended(page, "All 3 scenes are done")


def test_cancel_in_the_middle(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, sentences(8, "take:1"))
    press(page)
    passes(page, 1, "Video follows the images")
    page.get_by_role("button", name="Cancel", exact=True).click()
    ended(page, "Generation stopped")
    expect(card(page, 8)).to_contain_text("Stopped")
    board = studio.storyboard(project_id)
    assert all(scene["status"] == "cancelled" for scene in board["scenes"])
    # What was finished stays, and a new press goes on from there.
    images = sum(sentence["image"] is not None for sentence in board["sentences"])
    assert 1 <= images < 8
    expect(page.get_by_text(f"{8 - images} image")).to_be_visible()


def test_pause_and_resume(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, sentences(4, first="take:1"))
    press(page)
    passes(page, 1, "Making image")
    page.get_by_role("button", name="Pause").click()
    expect(generate(page)).to_contain_text("Paused (", timeout=SOON)
    expect(page.get_by_text("Nothing is being made")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Resume").click()
    ended(page, "All 4 scenes are done")


def test_a_failure_leads_to_the_dialog_and_a_retry_succeeds(context: BrowserContext, studio: Stack) -> None:
    given = sentences(3)
    given[1]["prompt"] = "fail:bad_prompt"
    page, project_id = open_board(context, studio, given)
    press(page)
    ended(page, "2 of 3 scenes done, 1 failed")
    expect(card(page, 2)).to_contain_text("Image failed")
    expect(card(page, 2)).to_contain_text("It will never work.")
    page.get_by_role("button", name="Show errors").click()
    dialog = page.get_by_role("dialog", name="1 scene failed")
    expect(dialog).to_contain_text("The prompt was not accepted")
    expect(dialog).to_contain_text("Change the picture prompt")
    assert axe_findings(page) == []
    page.keyboard.press("Escape")
    expect(generate(page)).to_be_focused()

    # The prompt is mended on the card, and one press makes what is missing.
    card(page, 2).focus()
    page.keyboard.press("e")
    page.get_by_label("Picture prompt").fill("take:0.1")
    page.get_by_role("button", name="Save").click()
    expect(card(page, 2)).to_be_focused()
    page.get_by_role("button", name="1 failed").click()
    page.get_by_role("button", name="Retry it").click()
    expect(page.get_by_role("dialog", name="Nothing is left to fix")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Close").last.click()
    ended(page, "The scene is done")
    expect(card(page, 2)).to_contain_text("Video ready")
    expect(page.get_by_role("button", name="1 failed")).to_have_count(0)
    assert all(sentence["video"] for sentence in studio.storyboard(project_id)["sentences"])


def test_errors_are_shown_from_wherever_the_toast_is(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, sentences(1, "fail:bad_prompt"))
    press(page)
    ended(page, "0 of 1 scenes done, 1 failed")
    page.get_by_role("link", name="Projects").click()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    page.get_by_role("button", name="Show errors").click()
    expect(page.get_by_role("dialog", name="1 scene failed")).to_be_visible(timeout=SOON)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(generate(page)).to_be_focused()


def test_what_did_not_fit_is_retried_in_the_size_that_does(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, sentences(2, "image/oom:832x480 take:0.1"))
    press(page)
    ended(page, "0 of 2 scenes done, 2 failed")
    page.get_by_role("button", name="Show errors").click()
    dialog = page.get_by_role("dialog", name="2 scenes failed")
    expect(dialog).to_contain_text("too little memory for 1280 x 720")
    expect(dialog.get_by_role("button", name="Retry scene 1 at 832 × 480")).to_be_visible()
    assert axe_findings(page) == []
    dialog.get_by_role("button", name="Retry all 2 at 832 × 480").click()
    expect(page.get_by_role("dialog", name="Nothing is left to fix")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Close").last.click()
    ended(page, "All 2 scenes are done")
    expect(card(page, 1)).to_contain_text("Video ready")
    board = studio.storyboard(project_id)
    assert (board["project"]["size"]["width"], board["sentences"][0]["image_stale"]) == (1280, False)


def test_an_attempt_above_one_is_shown(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, sentences(1, "image/flaky:1 take:1"))
    press(page)
    passes(page, 1, "attempt 2")
    ended(page, "The scene is done")


def test_what_is_being_made_shows_on_its_card_until_the_image_is_there(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, sentences(1, "image/take:2 image/preview video/take:1"))
    before = card(page, 1).bounding_box()
    press(page)
    preview = card(page, 1).locator("img[data-preview]")
    expect(preview).to_be_visible(timeout=SOON)
    first = preview.get_attribute("src")
    expect(preview).not_to_have_attribute("src", first or "", timeout=SOON)
    assert preview.evaluate("(img) => img.naturalWidth") == 16
    page.get_by_role("button", name="Open scene 1").click()
    expect(page.get_by_role("dialog").locator("img[data-preview]")).to_be_visible(timeout=SOON)
    expect(page.get_by_role("dialog").locator("img[data-preview]")).to_have_count(0, timeout=LATER)
    image = studio.storyboard(project_id)["sentences"][0]["image"]["key"]
    expect(page.get_by_role("dialog").locator(f'[poster$="{image}"], [src$="{image}"]').first).to_be_visible()
    page.keyboard.press("Escape")
    expect(preview).to_have_count(0)
    ended(page, "The scene is done")
    assert card(page, 1).bounding_box() == before, "nothing has moved"


def test_a_new_image_that_is_cancelled_leaves_the_old_one_as_good_as_it_was(
    context: BrowserContext, studio: Stack
) -> None:
    page, project_id = open_board(context, studio, [{"text": "A scene.", "prompt": "take:0.1"}])
    press(page)
    ended(page, "The scene is done")
    before = studio.storyboard(project_id)["sentences"][0]
    for worker in ("image-worker", "video-worker"):
        studio.services[worker].signal(signal.SIGSTOP)
    try:
        page.get_by_role("button", name="Open scene 1").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="New image", exact=True).click()
        expect(dialog.get_by_text("Image queued")).to_be_visible(timeout=SOON)
        dialog.get_by_role("button", name="Cancel this scene").click()
        expect(dialog.get_by_text("Video ready")).to_be_visible(timeout=SOON)
    finally:
        for worker in ("image-worker", "video-worker"):
            studio.services[worker].signal(signal.SIGCONT)
    after = studio.storyboard(project_id)["sentences"][0]
    assert (after["seed"], after["prompt"]) == (before["seed"], "take:0.1")
    assert not after["image_stale"] and not after["video_stale"]


def test_a_seed_is_kept_once_it_is_locked(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, [{"text": "A scene.", "prompt": "take:0.1"}])
    press(page)
    ended(page, "The scene is done")

    def seed() -> int:
        return int(studio.storyboard(project_id)["sentences"][0]["seed"])

    def another_image(takes: int) -> None:
        dialog.get_by_role("button", name="New image", exact=True).click()
        expect(dialog.get_by_role("region", name="Images: takes").get_by_role("button")).to_have_count(
            takes, timeout=LATER
        )

    first = seed()
    page.get_by_role("button", name="Open scene 1").click()
    dialog = page.get_by_role("dialog")
    lock = dialog.get_by_role("switch", name="Keep this seed")
    expect(lock).to_contain_text(str(first))
    another_image(2)
    second = seed()
    assert second != first
    expect(lock).to_contain_text(str(second))
    lock.click()
    expect(lock).to_be_checked()
    another_image(3)
    assert seed() == second
    assert axe_findings(page) == []
    dialog.get_by_role("button", name="Image 1").click()
    expect(lock).to_contain_text(str(first))


def test_reload_in_the_middle(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, sentences(6, "image/take:1 video/take:0.1"))
    press(page)
    passes(page, 2, "Video follows the images")
    before = counter(page)
    page.reload()
    expect(generate(page)).to_contain_text("Generating... (", timeout=SOON)
    after = counter(page)
    assert before and after and after >= before
    expect(card(page, 1)).to_contain_text("Video follows the images")
    ended(page, "All 6 scenes are done")


def test_two_tabs_agree_and_only_one_tells_the_end(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, sentences(4, "take:0.3"))
    other = visit(context, studio, project_id)
    press(page)
    expect(generate(other)).to_contain_text("Generating... (", timeout=SOON)
    for tab in (page, other):
        expect(generate(tab)).to_have_text("Generate All Scenes", timeout=LATER)
        expect(card(tab, 4)).to_contain_text("Video ready")
    eventually(lambda: studio.storyboard(project_id)["runs"][0]["seen"], what="the end being told")
    page.wait_for_timeout(2500)
    toasts = sum(
        tab.get_by_text("All 4 scenes are done", exact=True).and_(tab.locator("[data-title]")).count()
        for tab in (page, other)
    )
    assert toasts == 1
    # And never again.
    page.reload()
    expect(card(page, 1)).to_contain_text("Video ready")
    page.wait_for_timeout(2000)
    expect(page.locator("[data-sonner-toast]")).to_have_count(0)


# They note what is asked of the browser, and pass it on. The tab is behind others where `away` says so.
NOTING_NOTIFICATIONS = """
window.notified = [];
window.Notification = class extends Notification {
  constructor(title, options) {
    super(title, options);
    window.notified.push([title, options.body]);
  }
};
window.away = false;
Object.defineProperty(document, "hidden", { get: () => window.away });
"""
NOTING_SOUNDS = """
window.sounded = [];
window.AudioContext = class extends AudioContext {
  createOscillator() {
    const tone = super.createOscillator();
    const start = tone.start;
    tone.start = (...when) => {
      if (this.state === "running") window.sounded.push(tone.frequency.value);
      return start.apply(tone, when);
    };
    return tone;
  }
};
"""


def prefer(page: Page, name: str, *, on: bool) -> None:
    page.get_by_role("button", name="Preferences").click()
    switch = page.get_by_role("menuitemcheckbox", name=name)
    expect(switch).to_be_checked(checked=not on)
    switch.click()
    expect(switch).to_be_checked(checked=on)
    page.keyboard.press("Escape")


def go_away(page: Page, away: bool) -> None:
    page.evaluate("(away) => { window.away = away; document.dispatchEvent(new Event('visibilitychange')); }", away)


def test_an_end_notifies_whoever_looks_elsewhere(context: BrowserContext, studio: Stack) -> None:
    context.grant_permissions(["notifications"])
    context.add_init_script(NOTING_NOTIFICATIONS)
    page, _ = open_board(context, studio, sentences(2), title="The lighthouse")
    press(page)
    go_away(page, True)
    ended(page, "All 2 scenes are done")
    assert page.evaluate("window.notified") == [], "nobody asked for it"
    expect(page).to_have_title("✓ The lighthouse · VideoGen Studio")
    go_away(page, False)
    expect(page).to_have_title("The lighthouse · VideoGen Studio")

    close_toast(page)
    prefer(page, "A notification, if nobody looks", on=True)
    page.reload()
    make_again(page)
    go_away(page, True)
    ended(page, "All 2 scenes are done")
    told = [["The lighthouse", "All 2 scenes are done. Made 2 images and 2 videos."]]
    assert page.evaluate("window.notified") == told

    go_away(page, False)
    close_toast(page)
    make_again(page)
    ended(page, "All 2 scenes are done")
    assert page.evaluate("window.notified") == told, "who looks needs none"


def close_toast(page: Page) -> None:
    page.get_by_role("button", name="Close toast").click()
    expect(page.locator("[data-sonner-toast]")).to_have_count(0)


def make_again(page: Page) -> None:
    page.get_by_role("button", name="What to generate, and in which order").click()
    page.get_by_role("menuitem", name="Everything").click()
    expect(generate(page)).to_contain_text("Generating...")


def test_notifications_that_the_browser_refuses_stay_off(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, sentences(1))
    page.get_by_role("button", name="Preferences").click()
    switch = page.get_by_role("menuitemcheckbox", name="A notification, if nobody looks")
    switch.click()
    expect(page.get_by_text("The browser does not let this page notify you")).to_be_visible()
    expect(switch).not_to_be_checked()


def test_an_end_sounds_where_that_is_switched_on(context: BrowserContext, studio: Stack) -> None:
    context.add_init_script(NOTING_SOUNDS)
    given = sentences(2, "video/take:1")
    given[1]["prompt"] = "video/fail:bad_prompt"
    page, _ = open_board(context, studio, given)

    def sounds() -> list[float]:
        return [float(tone) for tone in page.evaluate("window.sounded.splice(0)")]

    press(page)
    ended(page, "1 of 2 scenes done, 1 failed")
    assert sounds() == []
    # Switched on, it is heard at once.
    prefer(page, "A soft sound", on=True)
    good = sounds()
    assert good == sorted(good) and len(good) == 2

    # It is still on after a reload in the middle of a run, and whatever is done on the page then lets it sound.
    make_again(page)
    page.get_by_role("button", name="Pause").click()
    expect(generate(page)).to_contain_text("Paused (", timeout=SOON)
    page.reload()
    page.get_by_role("button", name="Resume").click()
    ended(page, "1 of 2 scenes done, 1 failed")
    bad = sounds()
    assert bad == sorted(bad, reverse=True) and len(bad) == 2

    close_toast(page)
    prefer(page, "A soft sound", on=False)
    make_again(page)
    ended(page, "1 of 2 scenes done, 1 failed")
    assert sounds() == []


def test_an_end_that_nobody_saw_is_told_later(context: BrowserContext, studio: Stack) -> None:
    project_id = studio.project(sentences(2))["project"]["id"]
    studio.ended(studio.press(project_id)["id"])
    page = visit(context, studio, project_id)
    expect(page.get_by_text("All 2 scenes are done", exact=True).first).to_be_visible(timeout=SOON)
    page.close()
    some = [sentence["id"] for sentence in studio.storyboard(project_id)["sentences"]]
    studio.ended(studio.press(project_id, sentence_ids=some, replace=["video"])["id"])
    page = visit(context, studio, project_id)
    expect(page.get_by_text("All 2 scenes are done", exact=True).first).to_be_visible(timeout=SOON)


def test_offline_and_back(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, sentences(4, "take:0.3", first="take:1"))
    press(page)
    passes(page, 1, "Making image")
    context.set_offline(True)
    expect(page.locator("[data-connection=offline]")).to_be_visible(timeout=SOON)
    page.wait_for_timeout(2500)
    context.set_offline(False)
    expect(page.locator("[data-connection=live]")).to_be_visible(timeout=SOON)
    ended(page, "All 4 scenes are done")


def test_three_hundred_sentences(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, sentences(300, "take:0.1"))
    expect(page.get_by_text("300 images, 300 videos")).to_be_visible()
    assert page.locator("article").count() < 60
    press(page)
    expect(generate(page)).to_contain_text("Generating... (", timeout=SOON)
    expect(page.get_by_test_id("run-line")).to_contain_text("waiting")
    page.keyboard.press("End")
    card(page, 1).focus()
    page.keyboard.press("End")
    expect(card(page, 300)).to_be_focused(timeout=SOON)
    before = counter(page)
    assert before
    eventually(lambda: (counter(page) or before) > before, within_s=20, what="the counter rising")
    page.get_by_role("button", name="Cancel", exact=True).click()
    ended(page, "Generation stopped")
    assert studio.storyboard(project_id)["runs"][0]["status"] == "cancelled"


def test_a_worker_that_loads_and_one_that_cannot_explain_themselves(
    context: BrowserContext, amqp: tuple[str, str], tmp_path: Path
) -> None:
    load = tmp_path / "load"
    load.write_text("1")
    with running_stack(*amqp, f"sqlite:///{tmp_path}/studio.db", tmp_path) as stack:
        stack.coordinator()
        stack.notifier()
        stack.worker("video")
        worker = stack.worker("image", SCRIPTED_LOAD=str(load))
        page, _ = open_board(context, stack, sentences(2))
        press(page)
        waits = page.get_by_text("The image worker is still starting: loading 2 of 3: model. The work waits for it.")
        expect(waits).to_be_visible(timeout=SOON)
        page.get_by_role("button", name="2 workers").click()
        panel = page.get_by_role("dialog", name="Workers")
        expect(panel).to_contain_text("Loading 2 of 3: model")
        assert axe_findings(page) == []

        load.write_text("No model is here: run `make models`.")
        told = "The image worker does not run: No model is here: run make models."
        expect(page.get_by_role("alert")).to_have_text(told, timeout=SOON)
        expect(panel.get_by_text("make models", exact=True)).to_have_role("code")
        expect(page.get_by_role("button", name="1 worker, 1 failed")).to_be_visible()
        expect(waits).to_have_count(0)
        assert axe_findings(page) == []

        load.write_text("3")
        worker.start()
        ended(page, "All 2 scenes are done")
        expect(page.get_by_role("button", name="2 workers")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)


def test_the_notifier_is_killed_and_restarted_in_the_middle(context: BrowserContext, stack: Stack) -> None:
    page, _ = open_board(context, stack, sentences(5, "take:0.5", first="take:1"))
    press(page)
    passes(page, 1, "Making image")
    stack.services["notifier"].kill()
    expect(page.locator("[data-connection=reconnecting]")).to_be_visible(timeout=SOON)
    before = counter(page)
    # The page looks for itself while nobody tells it.
    eventually(lambda: counter(page) != before, within_s=20, what="the counter moving without a notifier")
    stack.restart("notifier")
    expect(page.locator("[data-connection=live]")).to_be_visible(timeout=SOON)
    ended(page, "All 5 scenes are done")


def test_the_coordinator_is_killed_and_restarted_in_the_middle(context: BrowserContext, stack: Stack) -> None:
    page, project_id = open_board(context, stack, sentences(5, "take:0.4", first="take:1"))
    press(page)
    passes(page, 1, "Making image")
    stack.services["coordinator"].kill()
    page.wait_for_timeout(1500)
    expect(card(page, 5)).to_be_visible()
    stack.restart("coordinator")
    ended(page, "All 5 scenes are done")
    assert all(sentence["video"] for sentence in stack.storyboard(project_id)["sentences"])


def test_keyboard_only_once_through(context: BrowserContext, studio: Stack) -> None:
    """From the empty list to a finished scene, a new take and an undone deletion, without a pointer."""
    page = context.new_page()
    page.goto(studio.url)
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_label("Script")).to_be_focused()
    page.keyboard.type("She climbed. The light turned.\n\nTake:0 it was warm.")
    expect(page.get_by_text("3 sentences")).to_be_visible(timeout=SOON)
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-connection=live]")).to_be_visible(timeout=SOON)
    expect(page.get_by_role("heading", level=1)).to_have_text("She climbed")

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    ended(page, "All 3 scenes are done")
    _walk_over_the_cards(page)
    _change_a_card(page)


def _walk_over_the_cards(page: Page) -> None:
    for _ in range(25):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "ARTICLE":
            break
    expect(card(page, 1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(card(page, 2)).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Scene 2 of 3")
    expect(dialog).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("dialog", name="Scene 3 of 3")).to_be_visible()
    page.keyboard.press("k")
    page.keyboard.press("Escape")
    expect(card(page, 2)).to_be_focused()


def _change_a_card(page: Page) -> None:
    page.keyboard.press("Shift+ArrowLeft")
    expect(card(page, 1)).to_contain_text("The light turned.")
    expect(card(page, 1)).to_be_focused()
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("The light turned twice.")
    page.keyboard.press("Control+Enter")
    expect(card(page, 1)).to_contain_text("The light turned twice.")
    expect(card(page, 1)).to_contain_text("Edited since", timeout=SOON)
    expect(card(page, 1)).to_be_focused()
    page.keyboard.press("r")
    expect(card(page, 1)).to_contain_text("Video ready", timeout=LATER)
    expect(card(page, 1).get_by_label("2 takes")).to_be_visible(timeout=SOON)

    page.keyboard.press("Delete")
    expect(page.locator("article")).to_have_count(2)
    expect(card(page, 1)).to_be_focused()
    # The way to the toasts is said in their label.
    page.keyboard.press("Alt+t")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.innerText") != "Undo":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(card(page, 1)).to_contain_text("The light turned twice.", timeout=SOON)


def test_what_is_said_aloud(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, sentences(4, "take:0.6"))
    page.evaluate(
        """() => {
            window.spoken = [];
            const region = document.querySelector("[data-testid=announcer]");
            new MutationObserver(() => region.innerText && window.spoken.push(region.innerText)).observe(region, {
                subtree: true, childList: true, characterData: true,
            });
        }"""
    )
    press(page)
    ended(page, "All 4 scenes are done")
    expect(page.get_by_test_id("announcer")).to_have_text("All 4 scenes are done.", timeout=SOON)
    spoken = page.evaluate("window.spoken")
    assert spoken[0] == "Generating 4 scenes."
    assert {"A quarter done.", "Half done.", "Three quarters done."} <= set(spoken)
    assert len(spoken) <= 6, spoken


def test_a_card_is_dragged_to_another_place(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, ["one", "two", "three", "four", "five"])
    line = page.get_by_test_id("drop-line")

    def drag(number: int, onto: int, share: float) -> None:
        """Hold a card over another one, at this share of its width."""
        card(page, number).hover()
        card(page, number).get_by_title("Drag to another place").hover()
        page.mouse.down()
        box = card(page, onto).bounding_box()
        assert box
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.5 * box["height"], steps=5)
        expect(line.first).to_be_visible()

    def is_told(*story: str) -> None:
        for number, text in enumerate(story, start=1):
            expect(card(page, number)).to_have_attribute("aria-label", re.compile(rf"\b{text}\b"))
        expect(line).to_have_count(0)
        eventually(lambda: told_story(studio, project_id) == list(story), what=f"the order {story}")

    drag(1, onto=3, share=0.8)
    page.mouse.up()
    is_told("two", "three", "one", "four", "five")
    expect(card(page, 3)).to_be_focused()
    drag(5, onto=2, share=0.2)
    page.mouse.up()
    is_told("two", "five", "three", "one", "four")
    # The gap between two cards is a place, too.
    drag(1, onto=2, share=0.8)
    box = card(page, 2).bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] + 3, box["y"] + 0.5 * box["height"])
    page.mouse.up()
    is_told("five", "two", "three", "one", "four")
    drag(2, onto=1, share=0.2)
    page.mouse.up()
    is_told("two", "five", "three", "one", "four")
    # The end is behind the last card.
    drag(1, onto=5, share=0.8)
    page.get_by_role("button", name="Add sentence").hover()
    page.mouse.up()
    is_told("five", "three", "one", "four", "two")
    drag(5, onto=1, share=0.2)
    page.mouse.up()
    is_told("two", "five", "three", "one", "four")
    # Neither where it is already, nor when the creator thinks better of it.
    drag(2, onto=3, share=0.2)
    page.mouse.up()
    is_told("two", "five", "three", "one", "four")
    drag(2, onto=4, share=0.8)
    page.keyboard.press("Escape")
    is_told("two", "five", "three", "one", "four")
    page.reload()
    is_told("two", "five", "three", "one", "four")


def told_story(stack: Stack, project_id: str) -> list[str]:
    return [sentence["text"] for sentence in stack.storyboard(project_id)["sentences"]]


def test_a_card_is_moved_and_another_one_deleted_at_once(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, ["one", "two", "three", "four"])
    card(page, 1).focus()
    for number in (2, 3):
        page.keyboard.press("Shift+ArrowRight")
        expect(card(page, number)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(card(page, 4)).to_be_focused()
    page.keyboard.press("Delete")
    eventually(lambda: len(told_story(studio, project_id)) == 3, what="the deletion")
    assert told_story(studio, project_id) == ["two", "three", "one"]
    expect(card(page, 3)).to_contain_text("one")


def test_a_press_right_after_a_move_makes_the_story_in_the_new_order(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, sentences(3))
    story = told_story(studio, project_id)
    card(page, 1).focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("g")
    ended(page, "All 3 scenes are done")
    board = studio.storyboard(project_id)
    assert told_story(studio, project_id) == [story[1], story[0], story[2]]
    scenes = sorted(board["scenes"], key=lambda scene: scene["number"])
    assert [scene["sentence_id"] for scene in scenes] == [sentence["id"] for sentence in board["sentences"]]


def test_the_focus_goes_on_when_the_only_sentence_is_deleted(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, ["one"])
    add = page.get_by_role("button", name="Add the first sentence")
    card(page, 1).focus()
    page.keyboard.press("Delete")
    expect(add).to_be_focused()
    eventually(lambda: told_story(studio, project_id) == [], what="the deletion")
    page.get_by_role("button", name="Undo").click()
    expect(card(page, 1)).to_be_focused()
    page.get_by_role("button", name="Actions for scene 1").click()
    page.get_by_role("menuitem", name="Delete sentence").click()
    expect(add).to_be_focused()


def test_on_a_touch_screen_a_card_is_moved_by_its_menu(browser: Browser, studio: Stack) -> None:
    project_id = studio.project(["one", "two", "three"])["project"]["id"]
    opened = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = visit(opened, studio, project_id)
    # A finger that drags is one that scrolls.
    expect(card(page, 1).get_by_title("Drag to another place")).to_be_hidden()
    page.get_by_role("button", name="Actions for scene 1").tap()
    page.get_by_role("menuitem", name="Move later").tap()
    expect(card(page, 2)).to_contain_text("one")
    eventually(lambda: told_story(studio, project_id) == ["two", "one", "three"], what="the new order")
    opened.close()


def test_takes_are_kept_and_chosen(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, sentences(1))
    press(page)
    ended(page, "The scene is done")
    first = studio.storyboard(project_id)["sentences"][0]["image"]["key"]
    card(page, 1).focus()
    page.keyboard.press("r")
    expect(card(page, 1).get_by_label("2 takes")).to_be_visible(timeout=LATER)
    expect(card(page, 1)).to_contain_text("Video ready", timeout=LATER)
    assert studio.storyboard(project_id)["sentences"][0]["image"]["key"] != first
    page.get_by_role("button", name="Open scene 1").click()
    takes = page.get_by_role("region", name="Images: takes").get_by_role("button")
    expect(takes).to_have_count(2)
    expect(takes.first).to_have_attribute("aria-pressed", "true")
    takes.last.click()
    expect(takes.last).to_have_attribute("aria-pressed", "true", timeout=SOON)
    assert studio.storyboard(project_id)["sentences"][0]["image"]["key"] == first


def test_a_scene_that_is_deleted_elsewhere_closes(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, sentences(3))
    path = f"/projects/{project_id}/sentences/{studio.storyboard(project_id)['sentences'][1]['id']}"
    page.get_by_role("button", name="Open scene 2").click()
    expect(page.get_by_role("dialog", name="Scene 2 of 3")).to_be_visible()
    studio.api.delete(path).raise_for_status()
    expect(page.get_by_role("dialog")).to_have_count(0, timeout=SOON)
    expect(generate(page)).to_be_focused()
    studio.api.post(f"{path}/restore").raise_for_status()
    expect(page.locator("article")).to_have_count(3)
    expect(page.get_by_role("dialog")).to_have_count(0)
    card(page, 1).focus()
    page.keyboard.press("e")
    expect(page.get_by_role("form", name="Edit scene 1")).to_be_visible()


def test_what_is_written_on_a_card_waits_while_another_one_is_opened(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, ["One.", "Two."])
    field = page.get_by_role("form").get_by_role("textbox").first
    card(page, 1).get_by_title("Edit text and prompt").click()
    field.fill("One, and half a thought")
    card(page, 2).get_by_title("Edit text and prompt").click()
    expect(field).to_have_value("Two.")
    page.keyboard.press("Escape")
    card(page, 1).get_by_title("Edit text and prompt").click()
    expect(field).to_have_value("One, and half a thought")
    # Only who drops it loses it.
    page.keyboard.press("Escape")
    card(page, 1).get_by_title("Edit text and prompt").click()
    expect(field).to_have_value("One.")


def test_a_press_makes_what_is_written_on_a_card_and_was_not_saved_yet(context: BrowserContext, studio: Stack) -> None:
    page, project_id = open_board(context, studio, ["One.", "Two."])
    card(page, 2).get_by_title("Edit text and prompt").click()
    page.get_by_role("form").get_by_role("textbox").first.fill("Two, as it should be.")
    page.locator("#generate").click()
    expect(page.locator("[data-sonner-toast]").first).to_be_visible(timeout=SOON)
    board = studio.storyboard(project_id)
    assert [one["text"] for one in board["sentences"]] == ["One.", "Two, as it should be."]
    assert not any(one["image_stale"] or one["video_stale"] for one in board["sentences"])
    expect(page.get_by_role("form")).to_have_count(0)
    expect(card(page, 2)).to_contain_text("Two, as it should be.")


def test_the_list_of_projects(context: BrowserContext, studio: Stack) -> None:
    title = "A project to delete"
    studio.project(sentences(2), title=title)
    page = context.new_page()
    page.goto(studio.url)
    tile = page.get_by_role("main").get_by_role("listitem").filter(has_text=title)
    expect(tile).to_contain_text("0/2 images", timeout=SOON)
    page.get_by_role("button", name=f"Delete {title}").click()
    expect(tile).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(tile).to_have_count(1)
    assert axe_findings(page) == []
    tile.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.go_back()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()


def test_every_project_can_be_reached(context: BrowserContext, stack: Stack) -> None:
    for number in range(1, 204):
        stack.project([], title=f"Project {number}")
    page = context.new_page()
    page.goto(stack.url)
    tiles = page.get_by_role("main").get_by_role("listitem")
    more = page.get_by_role("button", name="Show more of 203")
    for shown in (60, 120, 180):
        expect(tiles).to_have_count(shown, timeout=SOON)
        more.click()
    expect(tiles).to_have_count(203, timeout=SOON)
    expect(more).to_have_count(0)
    expect(tiles.last).to_contain_text("Project 1")


def test_addresses_that_lead_nowhere(context: BrowserContext, studio: Stack) -> None:
    page = context.new_page()
    page.goto(f"{studio.url}/projects/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_text("This project is not here")).to_be_visible(timeout=SOON)
    page.goto(f"{studio.url}/nowhere")
    expect(page.get_by_text("Nothing is at this address")).to_be_visible()
    assert page.request.get(f"{studio.url}/api/v1/nowhere").headers["content-type"] == "application/problem+json"
    assert page.request.get(f"{studio.url}/assets/nothing.js").status == 404


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(browser: Browser, studio: Stack, scheme: Any, width: int) -> None:
    given = sentences(4, "take:0.2", first="take:1")
    given[2]["prompt"] = "video/fail:out_of_memory"
    project_id = studio.project(given)["project"]["id"]
    opened = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True
    )
    page = visit(opened, studio, project_id)
    assert axe_findings(page) == []
    press(page)
    passes(page, 1, "Making image")
    assert axe_findings(page) == []
    ended(page, "3 of 4 scenes done, 1 failed")
    assert axe_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    page.get_by_role("button", name="1 failed").click()
    assert axe_findings(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Open scene 1").click()
    expect(page.get_by_role("region", name="Images: takes").get_by_role("button")).to_have_count(1, timeout=SOON)
    assert axe_findings(page) == []
    page.goto(f"{studio.url}/projects/new")
    page.get_by_role("button", name="Try an example").click()
    expect(page.get_by_label("Sentence 1", exact=True)).to_be_visible(timeout=SOON)
    assert axe_findings(page) == []
    opened.close()


def test_nothing_moves_while_images_arrive(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, sentences(6, "take:0.1"))
    page.evaluate(
        """() => {
            window.shift = 0;
            const onWall = ({ node }) => node && node.parentElement && node.parentElement.closest("main");
            new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) if (entry.sources.some(onWall)) window.shift += entry.value;
            }).observe({ type: "layout-shift", buffered: false });
        }"""
    )
    press(page)
    ended(page, "All 6 scenes are done")
    assert page.evaluate("window.shift") == 0


def test_a_token_brings_a_login(context: BrowserContext, amqp: tuple[str, str], tmp_path: Path) -> None:
    with running_stack(*amqp, f"sqlite:///{tmp_path}/studio.db", tmp_path, API_TOKEN="open-sesame") as stack:
        _started(stack)
        project_id = stack.project(sentences(2))["project"]["id"]
        page = context.new_page()
        page.goto(f"{stack.url}/projects/{project_id}")
        field = page.get_by_label("Token")
        expect(field).to_be_visible(timeout=SOON)
        field.fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("That is not the token of this studio.")
        field.fill("open-sesame")
        page.keyboard.press("Enter")
        # Back where the address leads, with pictures and live updates.
        expect(page.locator("[data-connection=live]")).to_be_visible(timeout=SOON)
        press(page)
        ended(page, "All 2 scenes are done")
        width = page.locator("article img").first.evaluate("(image) => image.decode().then(() => image.naturalWidth)")
        assert width > 0
        page.get_by_role("button", name="Preferences").click()
        page.get_by_role("menuitem", name="Log out").click()
        expect(page.get_by_label("Token")).to_be_visible(timeout=SOON)


def test_japanese_lines_end_between_words(context: BrowserContext, studio: Stack) -> None:
    words = "灯台は 十一年の あいだ 暗い ままだった。 ところが 十月の 終わりの ある 晩、 マーラは 扉の 前に いた。"
    page, _ = open_board(context, studio, [words.replace(" ", "")])
    text = card(page, 1).get_by_title("Edit text and prompt").locator("[lang=ja]")
    ends = set(accumulate(len(word) for word in words.split()))
    assert set() < set(text.evaluate(LINE_ENDS)) < ends
    page.get_by_role("button", name="Open scene 1").click()
    told = page.get_by_role("dialog").locator("p[lang=ja]")
    assert set() < set(told.evaluate(LINE_ENDS)) < ends


#: How many letters of the element's text each line has shown at its end, the last one aside.
LINE_ENDS = """(element) => {
    const text = element.lastChild;
    const tops = [...text.data].map((_, at) => {
        const range = document.createRange();
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        return range.getBoundingClientRect().top;
    });
    return tops.flatMap((top, at) => (at && top > tops[at - 1] + 4 ? [at] : []));
}"""


def test_no_script_of_others_runs(context: BrowserContext, studio: Stack) -> None:
    page, _ = open_board(context, studio, ["<img src=x onerror='document.title=\"taken\"'> & <b>bold</b>"])
    expect(card(page, 1)).to_contain_text("<b>bold</b>")
    with pytest.raises(Error, match=r"Content Security Policy|EvalError|unsafe-eval"):
        page.add_script_tag(content="document.title = 'taken'")
    assert "taken" not in page.title()


def test_pictures_and_videos_come_from_a_bucket(
    context: BrowserContext, bucket_url: str, amqp: tuple[str, str], tmp_path: Path
) -> None:
    settings = {"ARTIFACTS_URL": bucket_url, "BACKEND": "animatic"}
    with running_stack(*amqp, f"sqlite:///{tmp_path}/studio.db", tmp_path, **settings) as stack:
        size = {"width": 320, "height": 192, "seconds": 1.0, "fps": 8}
        page, project_id = open_board(context, _started(stack), ["The fox runs."], size=size)
        stack.ended(stack.press(project_id)["id"])
        picture = card(page, 1).locator("img")
        expect(picture).to_be_visible(timeout=LATER)
        assert picture.evaluate(SHOWN) == [320, 192]
        video = stack.storyboard(project_id)["sentences"][0]["video"]["key"]
        assert page.evaluate(PLAYED, f"/api/v1/artifacts/{video}") == [320, 192]


SHOWN = "async (img) => { await img.decode(); return [img.naturalWidth, img.naturalHeight]; }"
PLAYED = """(url) => new Promise((done, failed) => {
  const video = document.createElement("video");
  video.onloadeddata = () => done([video.videoWidth, video.videoHeight]);
  video.onerror = () => failed(new Error(video.error.message));
  video.src = url;
  document.body.append(video);
})"""
