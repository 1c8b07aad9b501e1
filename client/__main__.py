"""The command line: everything that the storyboard page can do, for people who script."""

import sys
import time
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.text import Text

from client.api import BadInput, NotNow, Studio, StudioError, press_of
from client.board import Board
from client.ending import exit_code, prepare_summary, say_end, summary, summary_without_run, write_summary
from client.follow import Followed, follow
from client.story import lines_of, read_story, size_of, title_of
from client.terminal import Column, Terminal, clean, counted, shorten
from client.unpack import download, prepare
from client.view import bars, failures
from shared.contracts.project import Sentence, Storyboard
from shared.contracts.run import ACTIVE, Order, Run, RunStatus
from shared.contracts.scene import Scene, SceneStatus, Stage

MANY = 100  #: files after which a person is asked before they are made
WAIT_S = 60.0  #: for a cancelled run's jobs to stop

ABOUT = """Turn stories into images and videos with VideoGen Studio.

Settings by environment: VIDEOGEN_URL is where the studio answers (http://127.0.0.1:8700 by default), API_TOKEN its
token where one is set. Projects and runs are named by their ids or by the first characters of them.

Printed to a file or another program, lists are plain lines with a tab between columns, and nothing is coloured.

\b
Examples:
  videogen generate story.txt --out frames
  videogen watch
  videogen retry 3fa1 --cause out_of_memory
"""
EXIT_CODES = """
\b
Exit codes:
  0    everything was made
  1    some sentences failed
  2    bad input; nothing was changed
  3    cancelled
  4    the studio cannot be reached, or refuses the token
  130  left running after Ctrl-C (143 after SIGTERM)
"""
GENERATE = """
\b
Examples:
  videogen generate story.txt --title "The Keeper" --style "ink and watercolour" --out frames
  videogen generate - --lines --images-only < lines.txt
  videogen generate --project 3fa1                      what is missing
  videogen generate --project 3fa1 --replace video --sentence 4 --sentence 7
"""

app = typer.Typer(help=ABOUT, epilog=EXIT_CODES, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

ProjectId = Annotated[str, typer.Argument(metavar="PROJECT", help="id of the project, or the beginning of it")]
Target = Annotated[
    str | None, typer.Argument(metavar="ID", help="of a project or run; without it, the only one that fits")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="put the files there, named in story order")]
Numbers = Annotated[
    list[int] | None, typer.Option("--sentence", metavar="N", help="only this sentence of the story; may be repeated")
]
SummaryFile = Annotated[Path | None, typer.Option("--summary-json", metavar="FILE", help="write the outcome there")]
Detach = Annotated[bool, typer.Option("--detach", help="start it and do not wait for its end")]


@app.command(epilog=GENERATE + EXIT_CODES, short_help="Make images and videos of a story.")
def generate(  # noqa: PLR0913 - each is an option of the command line
    story: Annotated[str | None, typer.Argument(metavar="STORY.txt", help="text file; - is standard input")] = None,
    project: Annotated[
        str | None, typer.Option("--project", metavar="ID", help="go on with this project instead of a new one")
    ] = None,
    title: Annotated[str | None, typer.Option(help="of the new project; the file's name by default")] = None,
    style: Annotated[str | None, typer.Option(help='of all pictures, such as "ink and watercolour"')] = None,
    order: Annotated[
        Order, typer.Option(help="images_first: all images, then all videos; per_scene: sentence by sentence")
    ] = Order.IMAGES_FIRST,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="in pixels; 1280x720 by default")] = None,
    seconds: Annotated[float | None, typer.Option(help="length of a video; 4 by default")] = None,
    fps: Annotated[int | None, typer.Option(help="frames per second of a video; 24 by default")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="every line is one sentence")] = False,
    images_only: Annotated[bool, typer.Option("--images-only", help="stop before the videos")] = False,
    replace: Annotated[list[Stage] | None, typer.Option(help="make these anew where they exist")] = None,
    sentence: Numbers = None,
    out: Out = None,
    summary_json: SummaryFile = None,
    detach: Detach = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask, however much will be made")] = False,
) -> None:
    """Make an image and a video for every sentence of a story, and show how it goes.

    With --project, make what is missing in a project that exists.
    """
    terminal, studio = Terminal(), Studio.of_environment()
    fresh = {"--title": title, "--style": style, "--size": size, "--seconds": seconds, "--fps": fps}
    if (story is None) == (project is None):
        raise BadInput("Give either a story or --project: see `videogen generate --help`.")
    if project is not None and (given := [name for name, value in fresh.items() if value is not None]):
        raise BadInput(f"{given[0]} belongs to a new project, and --project names one that exists.")
    if images_only and Stage.VIDEO in (replace or []):
        raise BadInput("--images-only stops before the videos that --replace video asks for.")
    _prepare(out, summary_json, detach=detach)
    if story is not None:
        limits = studio.config().limits
        text = read_story(story, limits.body_bytes)
        if sentence:
            _check_numbers(sentence, len(lines_of(text) if lines else studio.split(text)))
        board = studio.create(
            title=title if title is not None else title_of(story, limits.title_characters),
            style=style or "",
            size=size_of(size, seconds, fps),
            script=None if lines else text,
            sentences=lines_of(text) if lines else None,
        )
    else:
        board = studio.storyboard(studio.find_project(project or ""))
    project_id = board.project.id
    terminal.say(f"{clean(board.project.title)}: {counted(len(board.sentences), 'sentence')}")
    terminal.say(f"project {project_id}", "dim")
    press = press_of(
        order=order,
        stages=[Stage.IMAGE] if images_only else list(Stage),
        replace=list(dict.fromkeys(replace or [])),
        sentence_ids=_ids(board, sentence),
    )
    plan = studio.plan(project_id, press)
    if plan.images or plan.videos:
        todo = f"{counted(plan.images, 'image')} and {counted(plan.videos, 'video')}"
        many = plan.images + plan.videos > MANY or (replace and story is None)
        if many and not yes and not terminal.ask(f"Make {todo}?"):
            terminal.say(f"Nothing was started. Start it later: videogen generate --project {project_id}")
            raise typer.Exit(3)
        terminal.say(f"Making {todo}.")
    elif all(skipped.reason == "nothing_to_do" for skipped in plan.skipped) and plan.skipped:
        terminal.say("There is nothing to do: everything asked for is there.")
        _deliver(terminal, studio, project_id, out)
        if summary_json:
            whole = Board()
            whole.load(board)
            write_summary(summary_without_run(whole), summary_json)
        return
    run = _pressed(studio, project_id, press)
    _see_through(terminal, studio, run, out=out, summary_json=summary_json, detach=detach)


@app.command(epilog=EXIT_CODES, short_help="Show a run that goes on, to its end.")
def watch(project: Target = None, out: Out = None, summary_json: SummaryFile = None) -> None:
    """Show a run that goes on, to its end; without an id, the one started last."""
    terminal, studio = Terminal(), Studio.of_environment()
    _prepare(out, summary_json)
    if project is None:
        active = studio.active_runs()
        if not active:
            raise BadInput("Nothing is generated at present. `videogen list` shows all projects.")
        run = active[0]
    else:
        run = studio.find_run(project, wanting="watch", fits=ACTIVE, latest=True).run
    _see_through(terminal, studio, run, out=out, summary_json=summary_json)


@app.command("list")
def list_projects() -> None:
    """List the projects, newest first, with how much of each is made."""
    terminal, studio = Terminal(), Studio.of_environment()
    columns = [
        Column("Project"),
        Column("Title", wide=True),
        Column("Sentences", right=True),
        Column("Images", right=True),
        Column("Videos", right=True),
        Column("Run"),
    ]
    rows = [
        (
            str(project.id)[:8] if terminal.is_drawn else str(project.id),
            clean(project.title),
            f"{project.sentences}",
            f"{project.images}",
            f"{project.videos}",
            _state(project.run) if project.run else "",
        )
        for project in studio.projects()
    ]
    if terminal.is_drawn and not rows:
        terminal.say("There are no projects yet: `videogen generate STORY.txt` makes one.")
        return
    terminal.rows(columns, rows)


@app.command(short_help="Show one project: what is made of each sentence, and what failed.")
def show(project: ProjectId) -> None:
    """Show a project: its sentences, what is made of each, and what failed."""
    terminal, studio = Terminal(), Studio.of_environment()
    board = Board()
    board.load(studio.storyboard(studio.find_project(project)))
    if terminal.is_drawn:
        terminal.say(f"{clean(board.project.title)}", "bold")
        size = board.project.size
        details = [f"{size.width}x{size.height}", f"{size.seconds:g} s", f"{size.fps} fps", str(board.project.id)]
        terminal.say(", ".join([clean(board.project.style), *details] if board.project.style else details), "dim")
    columns = [Column("#", right=True), Column("Sentence", wide=True), Column("Image"), Column("Video"), Column("Now")]
    terminal.rows(columns, [_sentence_row(one, board.scenes.get(one.id)) for one in board.sentences])
    for run in board.runs if terminal.is_drawn else []:
        terminal.draw(bars(board, run))
        terminal.say(f"Run {run.id}: {_state(run)}", "dim")
    failed = [scene for scene in board.scenes.values() if scene.status is SceneStatus.FAILED]
    if failed and terminal.is_drawn:
        terminal.draw(failures(failed, {one.id: one.text for one in board.sentences}))


@app.command()
def workers() -> None:
    """Show who works for the studio, with what, and at what."""
    terminal, studio = Terminal(), Studio.of_environment()
    alive = studio.workers()
    if not alive and terminal.is_drawn:
        terminal.say("No worker is running: `make run` starts them.", "yellow")
        return
    titles = {project.id: project.title for project in studio.projects()} if any(w.project_id for w in alive) else {}
    columns = [Column("Worker"), Column("Makes"), Column("With"), Column("State"), Column("At", wide=True)]
    rows = []
    for seen in alive:
        at = clean(seen.detail)
        if seen.project_id and seen.number is not None:
            at = (
                f"sentence {seen.number} of {clean(titles.get(seen.project_id, str(seen.project_id)[:8]))} {at}".strip()
            )
        rows.append((clean(seen.name), f"{seen.stage}s", clean(seen.generator), seen.state.value, at))
    terminal.rows(columns, rows)


@app.command(short_help="Stop a run; what is made is kept.")
def cancel(target: Target = None) -> None:
    """Stop a run, and wait until nothing of it runs any more. What is made is kept."""
    terminal, studio = Terminal(), Studio.of_environment()
    run = studio.find_run(target, wanting="cancel", fits=ACTIVE).run
    if run.status not in ACTIVE:
        terminal.say(f"The run has ended already: {_state(run)}.")
        return
    run = studio.cancel(run.id)
    deadline = time.monotonic() + WAIT_S
    while run.status is RunStatus.CANCELLING and time.monotonic() < deadline:
        time.sleep(0.2)
        run = studio.run(run.id).run
    if run.status is RunStatus.CANCELLING:
        terminal.say("Cancelled; what runs now has not stopped yet, and will at its next step.", "yellow")
    else:
        terminal.say(f"{run.status.value.capitalize()}: {_state(run)}.")


@app.command(short_help="Hold a run.")
def pause(
    target: Target = None,
    now: Annotated[bool, typer.Option("--now", help="stop what runs as well: its work is lost")] = False,
) -> None:
    """Hold a run: what runs now is finished, and nothing else starts until `resume`."""
    terminal, studio = Terminal(), Studio.of_environment()
    run = studio.find_run(target, wanting="pause", fits=ACTIVE).run
    run = studio.pause(run.id, stop_running=now)
    still = run.images.running + run.videos.running
    rest = f" {counted(still, 'job')} will {'stop within a step' if now else 'be finished first'}." if still else ""
    terminal.say(f"Paused.{rest} Go on: videogen resume {str(run.project_id)[:8]}")


@app.command()
def resume(target: Target = None) -> None:
    """Go on with a paused run."""
    terminal, studio = Terminal(), Studio.of_environment()
    run = studio.find_run(target, wanting="resume", fits=frozenset({RunStatus.PAUSED})).run
    studio.resume(run.id)
    terminal.say(f"It goes on. See it: videogen watch {str(run.project_id)[:8]}")


@app.command(epilog=EXIT_CODES)
def retry(
    target: Annotated[str, typer.Argument(metavar="ID", help="of a project or run")],
    cause: Annotated[str | None, typer.Option(help="only what failed for this cause, as the failures name it")] = None,
    sentence: Numbers = None,
    out: Out = None,
    summary_json: SummaryFile = None,
    detach: Detach = False,
) -> None:
    """Make what failed again; images that exist are kept."""
    terminal, studio = Terminal(), Studio.of_environment()
    _prepare(out, summary_json, detach=detach)
    found = studio.find_run(target, wanting="retry", fits=frozenset())
    board = studio.storyboard(found.project_id)
    ids = _ids(board, sentence)
    failed = [scene for scene in board.scenes if _failed(scene, cause) and (ids is None or scene.sentence_id in ids)]
    run_id, left_by = found.run.id, {scene.run_id for scene in failed}
    if not found.named:
        # The latest run may have made well what it made; others before it left something.
        run_id = next((run.id for run in studio.runs(found.project_id) if run.id in left_by), run_id)
    wanted = [scene.sentence_id for scene in failed if scene.run_id == run_id]
    if not wanted:
        what = "None of these sentences" if ids else "Nothing"
        why = f" for the cause {cause!r}" if cause else ""
        where = " in this run" if found.named else ""
        raise BadInput(f"{what} failed{why}{where}.")
    run = studio.retry(run_id, cause=cause, sentence_ids=wanted)
    terminal.say(f"Making {counted(run.scenes, 'sentence')} again.")
    _see_through(terminal, studio, run, out=out, summary_json=summary_json, detach=detach)


@app.command()
def split(
    story: Annotated[str, typer.Argument(metavar="STORY.txt", help="text file; - is standard input")],
) -> None:
    """Show how a story is split into sentences, and keep nothing."""
    terminal, studio = Terminal(), Studio.of_environment()
    sentences = studio.split(read_story(story, studio.config().limits.body_bytes))
    numbered = [(f"{number}", clean(text)) for number, text in enumerate(sentences, 1)]
    if not terminal.is_drawn:
        terminal.rows([Column("#"), Column("Sentence")], numbered)
        return
    for number, text in numbered:
        terminal.say(f"{number:>{len(str(len(numbered)))}}  {text}")


@app.command()
def export(
    project: ProjectId,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="put the files there, named in story order")],
) -> None:
    """Fetch all images and videos of a project."""
    terminal, studio = Terminal(), Studio.of_environment()
    _fetch(terminal, studio, studio.find_project(project), out)


@app.command()
def delete(project: ProjectId) -> None:
    """Put a project away; what runs for it is cancelled. `restore` brings it back."""
    terminal, studio = Terminal(), Studio.of_environment()
    project_id = studio.find_project(project)
    studio.delete(project_id)
    terminal.say(f"Deleted. Bring it back: videogen restore {project_id}")


@app.command()
def restore(project: Annotated[UUID, typer.Argument(metavar="PROJECT", help="whole id of the project")]) -> None:
    """Bring a deleted project back."""
    terminal, studio = Terminal(), Studio.of_environment()
    studio.restore(project)
    terminal.say("It is back.")


def _prepare(out: Path | None, summary_json: Path | None, *, detach: bool = False) -> None:
    """Find out now what could not be written hours later."""
    if detach and (out or summary_json):
        raise BadInput("--detach does not wait for the end, at which --out and --summary-json are written.")
    if out:
        prepare(out)
    if summary_json:
        prepare_summary(summary_json)


def _pressed(studio: Studio, project_id: UUID, press: dict[str, object]) -> Run:
    try:
        return studio.press(project_id, press)
    except NotNow as error:
        hint = f" See it: videogen watch {str(project_id)[:8]}" if error.run_id else ""
        raise BadInput(f"{error}{hint}") from error


def _see_through(
    terminal: Terminal,
    studio: Studio,
    run: Run,
    *,
    out: Path | None = None,
    summary_json: Path | None = None,
    detach: bool = False,
) -> None:
    if detach:
        terminal.say(f"Started. See it: videogen watch {str(run.project_id)[:8]}")
        return
    end: Followed = follow(studio, terminal, run.project_id, run)
    say_end(terminal, end)
    try:
        if end.run.status is RunStatus.COMPLETED and not end.left:
            _deliver(terminal, studio, run.project_id, out)
    finally:
        if summary_json:
            write_summary(summary(end), summary_json)
    raise typer.Exit(exit_code(end))


def _deliver(terminal: Terminal, studio: Studio, project_id: UUID, out: Path | None) -> None:
    if out is None:
        return
    try:
        _fetch(terminal, studio, project_id, out)
    except NotNow as error:
        terminal.complain(str(error))


def _fetch(terminal: Terminal, studio: Studio, project_id: UUID, out: Path) -> None:
    files = download(studio, project_id, out)
    terminal.say(f"{counted(len(files), 'file')} in {clean(str(out))}")


def _ids(board: Storyboard, numbers: list[int] | None) -> list[UUID] | None:
    if not numbers:
        return None
    by_number = {sentence.position: sentence.id for sentence in board.sentences}
    _check_numbers(numbers, len(by_number))
    return [by_number[number] for number in dict.fromkeys(numbers)]


def _check_numbers(numbers: list[int], sentences: int) -> None:
    if unknown := [number for number in numbers if not 1 <= number <= sentences]:
        raise BadInput(f"--sentence {unknown[0]}: the story has {counted(sentences, 'sentence')}.")


def _failed(scene: Scene, cause: str | None) -> bool:
    """Whether it failed, for this cause where one is asked for."""
    if scene.status is not SceneStatus.FAILED:
        return False
    return cause is None or (scene.failure is not None and scene.failure.cause == cause)


def _state(run: Run) -> str:
    progress = f" {run.progress.settled}/{run.progress.total}" if run.status in ACTIVE else ""
    failed = f", {run.failed} failed" if run.failed else ""
    notice = f", {run.notice.cause.replace('_', ' ')}" if run.notice else ""
    return f"{run.status}{progress}{failed}{notice}"


def _sentence_row(sentence: Sentence, scene: Scene | None) -> tuple[str | Text, ...]:
    image = "" if sentence.image is None else "stale" if sentence.image_stale else "yes"
    video = "" if sentence.video is None else "stale" if sentence.video_stale else "yes"
    now = ""
    if scene and scene.status is not SceneStatus.DONE:
        now = f"{scene.stage} {scene.status}"
    return (f"{sentence.position}", shorten(sentence.text, 200), image, video, now)


def main() -> int:
    """Run one command; the exit code."""
    # Started with `<&-` or `>&-`: the next file that is opened would be taken for the stream that is not there.
    sys.stdin = sys.stdin or Path("/dev/null").open()  # noqa: SIM115
    sys.stdout = sys.stdout or Path("/dev/null").open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path("/dev/null").open("w")  # noqa: SIM115
    try:
        app(prog_name="videogen")
    except StudioError as error:
        Terminal().complain(str(error))
        return error.code
    except BrokenPipeError:
        # `videogen list | head` has seen enough.
        sys.stderr.close()
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
