"""Reads a story from a file or from standard input."""

import re
import sys
from pathlib import Path

from client.api import BadInput
from shared.contracts.project import Size

STDIN = "-"


def read_story(story: str, most_bytes: int) -> str:
    """Its text. Raises `BadInput` that says what is wrong with it."""
    name = "The story on standard input" if story == STDIN else story
    try:
        if story == STDIN:
            data = sys.stdin.buffer.read(most_bytes + 1)
        else:
            with Path(story).open("rb") as file:
                data = file.read(most_bytes + 1)
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise BadInput(f"{name!r} is no name of a file: {error}.") from error
    if len(data) > most_bytes:
        raise BadInput(f"{name} is too long: the studio takes at most {most_bytes:,} bytes.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is no UTF-8 text (byte {error.start + 1:,}): save it as UTF-8 and try again.") from None
    if not text.strip():
        raise BadInput(f"{name} is empty: write at least one sentence.")
    return text


def lines_of(text: str) -> list[str]:
    """Every line that is not blank."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def title_of(story: str, most_characters: int) -> str:
    """A title made of a file's name: `the-lighthouse_keeper.txt` is "The lighthouse keeper"."""
    words = re.sub(r"[-_\s]+", " ", Path(story).stem).strip() if story != STDIN else ""
    return (words[:1].upper() + words[1:])[:most_characters] or "Untitled story"


def size_of(size: str | None, seconds: float | None, fps: int | None) -> Size:
    """What images and videos are made in. The studio checks the numbers."""
    found = re.fullmatch(r"(\d{1,9})[xX](\d{1,9})", size) if size else None
    if size and not found:
        raise BadInput(f"--size is {size!r}, and should look like 1280x720.")
    given = {"width": int(found[1]), "height": int(found[2])} if found else {}
    timing = {"seconds": seconds, "fps": fps}
    return Size.model_construct(
        **{**Size().model_dump(), **given, **{k: v for k, v in timing.items() if v is not None}}
    )
