"""The browser that tests, benches and screenshots drive: the system's own Chromium."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

# A sandbox needs rights that containers lack, and their shared memory is too small for a page full of pictures.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb", "--no-proxy-server"]


def executable() -> str:
    """Where it is. CHROMIUM names another than the one on the PATH."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        raise FileNotFoundError("There is no Chromium: run `scripts/setup chromium`, or name one in CHROMIUM.")
    return found


@contextmanager
def running_chromium(*flags: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()
