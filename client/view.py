"""How a run looks: live bars for a person, a line now and then for a file, and what failed at the end."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from client.board import Board
from client.terminal import Terminal, clean, counted, shorten
from shared.contracts.events import WorkerState
from shared.contracts.run import Run, RunStatus, StageCount
from shared.contracts.scene import Scene, SceneStatus, Stage

MOST_ROWS = 8  #: of what runs, and of failures while the run goes on
LINE_S = 1.0  #: between two lines to a file
COLOURS = {Stage.IMAGE: "cyan", Stage.VIDEO: "magenta"}


class Screen(Protocol):
    """Shows a run while it goes on."""

    def show(self, board: Board, run: Run, trouble: str | None) -> None:
        """The state of now; called often."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class LiveScreen:
    """Drawn anew in place."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._live = self._fresh()

    def _fresh(self) -> Live:
        return Live(console=self._terminal.out, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self.go_on()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()

    def show(self, board: Board, run: Run, trouble: str | None) -> None:
        self._live.update(picture(board, run, trouble), refresh=True)

    def pause(self) -> None:
        """Leave what is drawn as it is, so that something else can be printed below."""
        self._live.stop()
        self._terminal.echo(True)

    def go_on(self) -> None:
        # An echoed key, `^C` before all, would shift what is drawn.
        self._terminal.echo(False)
        self._live = self._fresh()
        self._live.start()


class PlainScreen:
    """Lines, each once: how far it is, what failed, what is wrong."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._said: set[str] = set()
        self._failed: set[UUID] = set()
        self._line = ""
        self._at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, board: Board, run: Run, trouble: str | None) -> None:
        for scene in board.scenes_of(run.id):
            if scene.status is SceneStatus.FAILED and scene.id not in self._failed:
                self._failed.add(scene.id)
                self._terminal.say(_failure_line(scene, _texts(board)))
        for sentence in (*notices(board, run), *([trouble] if trouble else [])):
            if sentence not in self._said:
                self._said.add(sentence)
                self._terminal.say(sentence)
        line = ", ".join(f"{name.lower()} {_settled(count)}" for name, _, count in _bars(board, run))
        now = time.monotonic()
        if line != self._line and (now - self._at >= LINE_S or run.ended_at):
            self._line, self._at = line, now
            self._terminal.say(line)


def picture(board: Board, run: Run, trouble: str | None) -> RenderableType:
    """Everything about a run that goes on, in a few lines."""
    parts: list[RenderableType] = [_head(board, run), bars(board, run)]
    if run.ended_at is None:
        parts.append(Text(_queue_line(board, run), "dim"))
        parts.append(_running(board, run))
    parts += [Text(f"! {sentence}", "yellow") for sentence in notices(board, run)]
    if trouble:
        parts.append(Text(trouble, "yellow"))
    failed = [scene for scene in board.scenes_of(run.id) if scene.status is SceneStatus.FAILED]
    if failed and run.ended_at is None:
        parts += [Text(""), failures(failed, _texts(board), most=MOST_ROWS)]
    return Group(*parts)


def bars(board: Board, run: Run) -> Table:
    """One bar for images and one for videos, where the run has them."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column()
    table.add_column(ratio=1)
    table.add_column(justify="right")
    table.add_column()
    for name, stage, count in _bars(board, run):
        colour = COLOURS[stage]
        bar = ProgressBar(count.total, count.settled, complete_style=colour, finished_style=colour)
        lost = Text(", ".join(_lost(count)), "red" if count.failed else "yellow")
        table.add_row(name, bar, Text(f"{count.settled:,}/{count.total:,}", colour), lost)
    return table


def notices(board: Board, run: Run) -> list[str]:
    """What holds the run up, or what is to be known about it."""
    found = [clean(run.notice.message)] if run.notice else []
    if run.status is RunStatus.PAUSED:
        found.append(f"Paused. `videogen resume {str(run.project_id)[:8]}` goes on.")
    if run.status is RunStatus.CANCELLING:
        found.append("Cancelling: waiting for what runs now to stop.")
    for worker in board.workers:
        if worker.state is WorkerState.STARTING and run.ended_at is None:
            more = f" ({clean(worker.detail)})" if worker.detail else ""
            found.append(f"The {worker.stage} worker {clean(worker.name)} is getting ready{more}.")
        if worker.state is WorkerState.FAILED and run.ended_at is None:
            found.append(f"The {worker.stage} worker {clean(worker.name)} does not run: {clean(worker.detail)}")
    return found


def failures(failed: Sequence[Scene], texts: dict[UUID, str], *, most: int | None = None) -> RenderableType:
    """What failed, grouped by cause, the most frequent first; at most so many rows, or all."""
    causes = Counter(_cause(scene) for scene in failed)
    ordered = sorted(failed, key=lambda scene: (-causes[_cause(scene)], _cause(scene), scene.number))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True)
    table.add_column("#", justify="right", style="bold")
    table.add_column("Sentence", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("What went wrong", ratio=1, overflow="fold")
    before = ""
    for scene in ordered[:most]:
        cause = _cause(scene)
        if cause != before:
            table.add_row("", Text(f"{cause}, {counted(causes[cause], 'sentence')}", "bold red"), "")
            before = cause
        message = clean(scene.failure.message) if scene.failure else ""
        table.add_row(str(scene.number), clean(texts.get(scene.sentence_id, "")), Text(f"{scene.stage}: {message}"))
    if most is not None and len(ordered) > most:
        return Group(table, Text(f"and {len(ordered) - most:,} more", "dim"))
    return table


def duration(seconds: float) -> str:
    """Such as `11.2 s`, `3:05 min`, `2:10 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"


def _head(board: Board, run: Run) -> RenderableType:
    line = Table.grid(expand=True, padding=(0, 1))
    line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    line.add_column(justify="right")
    spent = ((run.ended_at or datetime.now(UTC)) - run.created_at).total_seconds()
    colour = {RunStatus.RUNNING: "green", RunStatus.COMPLETED: "green"}.get(run.status, "yellow")
    line.add_row(Text(clean(board.project.title), "bold"), Text(f"{run.status}, {duration(max(0.0, spent))}", colour))
    return line


def _queue_line(board: Board, run: Run) -> str:
    images, videos = board.counts(run)
    return f"{images.queued + videos.queued:,} queued, {images.waiting + videos.waiting:,} waiting"


def _running(board: Board, run: Run) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(justify="right")
    table.add_column()
    table.add_column(width=20)
    table.add_column(justify="right", width=4)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, max_width=16, overflow="ellipsis", style="dim")
    texts = _texts(board)
    now = [scene for scene in board.scenes_of(run.id) if scene.status is SceneStatus.RUNNING]
    for scene in now[:MOST_ROWS]:
        fraction, colour = board.fraction(scene), COLOURS[scene.stage]
        bar = ProgressBar(1, fraction or 0, complete_style=colour, finished_style=colour)
        percent = "" if fraction is None else f"{fraction:.0%}"
        stage = "stopping" if scene.stopping else scene.stage.value
        text = clean(texts.get(scene.sentence_id, ""))
        table.add_row(str(scene.number), Text(stage, colour), bar, percent, text, clean(scene.worker or ""))
    if len(now) > MOST_ROWS:
        table.add_row("", "", "", "", Text(f"and {len(now) - MOST_ROWS:,} more", "dim"), "")
    return table


def _bars(board: Board, run: Run) -> list[tuple[str, Stage, StageCount]]:
    images, videos = board.counts(run)
    both = [("Images", Stage.IMAGE, images), ("Videos", Stage.VIDEO, videos)]
    return [(name, stage, count) for name, stage, count in both if count.total]


def _settled(count: StageCount) -> str:
    return ", ".join([f"{count.done:,} of {count.total:,}", *_lost(count)])


def _lost(count: StageCount) -> list[str]:
    named = ((count.failed, "failed"), (count.cancelled, "cancelled"))
    return [f"{number:,} {word}" for number, word in named if number]


def _cause(scene: Scene) -> str:
    return scene.failure.cause if scene.failure else "unknown"


def _failure_line(scene: Scene, texts: dict[UUID, str]) -> str:
    message = clean(scene.failure.message) if scene.failure else "unknown"
    text = shorten(texts.get(scene.sentence_id, ""), 60)
    return f"failed: {scene.number} ({scene.stage}, {_cause(scene)}): {message} | {text}"


def _texts(board: Board) -> dict[UUID, str]:
    return {sentence.id: sentence.text for sentence in board.sentences}
