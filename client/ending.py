"""How a run ended, for a person, for a script and for a file."""

import json
import tempfile
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path

from client.api import BadInput
from client.board import Board
from client.follow import Followed
from client.terminal import Terminal, counted
from client.view import duration, failures
from shared.contracts.run import Run, RunStatus
from shared.contracts.scene import SceneStatus

Summary = dict[str, str | int | float | None]


class Exit(IntEnum):
    """Exit codes; 128 and the signal's number where a run was left running."""

    ALL_MADE = 0
    SOME_FAILED = 1
    BAD_INPUT = 2
    CANCELLED = 3
    UNREACHABLE = 4


def exit_code(end: Followed) -> int:
    """What the run's end means to a script."""
    if end.left:
        return 128 + end.left
    if end.run.status is RunStatus.CANCELLED:
        return Exit.CANCELLED
    if end.run.failed:
        return Exit.SOME_FAILED
    return Exit.CANCELLED if end.run.images.cancelled or end.run.videos.cancelled else Exit.ALL_MADE


def say_end(terminal: Terminal, end: Followed) -> None:
    """Everything that failed, and one line about the whole."""
    board, run = end.board, end.run
    short = str(run.project_id)[:8]
    if end.left:
        terminal.say(
            f"The run goes on in the studio. See it again: videogen watch {short}; stop it: videogen cancel {short}"
        )
        return
    failed = [scene for scene in board.scenes_of(run.id) if scene.status is SceneStatus.FAILED]
    texts = {sentence.id: sentence.text for sentence in board.sentences}
    if failed and terminal.is_drawn:
        terminal.draw(failures(failed, texts))
    say = {RunStatus.COMPLETED: "done", RunStatus.CANCELLED: "cancelled"}[run.status]
    made = _made(board)
    sentences, images, videos = (counted(made[f"{thing}s"], thing) for thing in ("sentence", "image", "video"))
    style = {Exit.ALL_MADE: "green", Exit.SOME_FAILED: "red"}.get(Exit(exit_code(end)), "yellow")
    seconds = duration(_seconds(run))
    terminal.say(f"{say}: {sentences}, {images}, {videos}, {made['failed']:,} failed, {seconds}", style)
    if run.failed:
        terminal.say(f"Make what failed again: videogen retry {short}", "dim")


def summary(end: Followed) -> Summary:
    """Counted from the storyboard as it is at the end."""
    return {
        **_made(end.board),
        "seconds": round(_seconds(end.run), 1),
        "outcome": "left_running" if end.left else end.run.status.value,
        "project_id": str(end.run.project_id),
        "run_id": str(end.run.id),
    }


def summary_without_run(board: Board) -> Summary:
    """Where everything was there already."""
    project_id = str(board.project.id)
    return {**_made(board), "seconds": 0.0, "outcome": "completed", "project_id": project_id, "run_id": None}


def _made(board: Board) -> dict[str, int]:
    return {
        "sentences": len(board.sentences),
        "images": sum(sentence.image is not None for sentence in board.sentences),
        "videos": sum(sentence.video is not None for sentence in board.sentences),
        "failed": sum(scene.status is SceneStatus.FAILED for scene in board.scenes.values()),
    }


def _seconds(run: Run) -> float:
    return max(0.0, ((run.ended_at or datetime.now(UTC)) - run.created_at).total_seconds())


def prepare_summary(path: Path) -> None:
    """Make sure that it can be written, before the work; what it says is left alone."""
    try:
        if path.is_file() or path.is_dir():
            with path.open("ab"):
                pass
        elif not path.exists():  # A pipe or a device is opened once only.
            with tempfile.TemporaryFile(dir=path.parent):
                pass
    except OSError as error:
        raise _unwritable(path, error) from error


def write_summary(told: Summary, path: Path) -> None:
    """For a script to read."""
    try:
        path.write_text(json.dumps(told) + "\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> BadInput:
    return BadInput(f"--summary-json {path}: it cannot be written ({error.strerror}).")
