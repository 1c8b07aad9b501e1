"""The command line as a user runs it: its own process against a whole studio, by its output and exit code."""

import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from client.api import Unreachable
from client.unpack import unpack
from tests.fixtures.stack import Stack, eventually, free_port, running_stack

WITHIN_S = 60
STORY = 'The keeper lights the lamp. "Who is there?" he asks.\n\nNobody answers.'


@pytest.fixture(scope="module")
def studio(module_amqp: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One of each service; the tests leave no run behind."""
    amqp_url, management_url = module_amqp
    folder = tmp_path_factory.mktemp("client")
    with running_stack(amqp_url, management_url, f"sqlite:///{folder}/studio.db", folder) as stack:
        stack.coordinator()
        stack.notifier()
        stack.worker("image")
        stack.worker("video")
        yield stack


@pytest.fixture(autouse=True)
def idle(request: pytest.FixtureRequest) -> Iterator[None]:
    """No run is left to the next test."""
    yield
    if "studio" in request.fixturenames:
        stack: Stack = request.getfixturevalue("studio")
        for project in stack.api.get("/projects").json()["projects"]:
            for run in stack.api.get(f"/projects/{project['id']}/runs").json()["runs"]:
                if run["ended_at"] is None:
                    stack.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
                    stack.ended(run["id"])


def environment(url: str, **more: str) -> dict[str, str]:
    unset = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "API_TOKEN"}
    return {**{k: v for k, v in os.environ.items() if k not in unset}, "VIDEOGEN_URL": url, "TERM": "xterm", **more}


def videogen(
    url: str, *arguments: str | Path, stdin: bytes = b"", settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, with its output in pipes."""
    return subprocess.run(
        [sys.executable, "-m", "client", *map(str, arguments)],
        env=environment(url, **(settings or {})),
        input=stdin.decode("utf-8", "surrogateescape"),
        errors="surrogateescape",
        encoding="utf-8",
        capture_output=True,
        check=False,
        timeout=WITHIN_S,
    )


class OnTerminal:
    """A command under a terminal of 80 columns, with a person's keys."""

    def __init__(self, url: str, *arguments: str | Path, **settings: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            # As the terminal's own session, so that Ctrl-C typed there is a signal.
            ["setsid", "--ctty", sys.executable, "-m", "client", *map(str, arguments)],
            env=environment(url, COLUMNS="80", LINES="30", **settings),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self.text = ""

    def wait_for(self, pattern: str) -> str:
        """Everything printed, as soon as the pattern is in it."""
        deadline = time.monotonic() + WITHIN_S
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, f"{pattern!r} was not printed:\n{self.text}"
            self._read(0.1)
        return self.text

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def end(self) -> int:
        """The exit code."""
        deadline = time.monotonic() + WITHIN_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it did not end:\n{self.text}"
            self._read(0.1)
        while self._read(0.1):
            pass
        os.close(self._master)
        return self.process.returncode

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._master], [], [], wait_s)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)


def write(folder: Path, text: str, name: str = "story.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def without_codes(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def project_in(output: str) -> str:
    found = re.search(r"project ([0-9a-f-]{36})", output)
    assert found, output
    return found[1]


def started(studio: Stack, *sentences: str) -> tuple[str, dict[str, Any]]:
    project_id = studio.project(list(sentences))["project"]["id"]
    return project_id, studio.press(project_id)


def test_a_story_becomes_files_in_story_order(studio: Stack, tmp_path: Path) -> None:
    out, summary = tmp_path / "new" / "frames", tmp_path / "summary.json"
    story = write(tmp_path, STORY, "the-last_lamp.txt")
    done = videogen(studio.url, "generate", story, "--out", out, "--summary-json", summary)
    assert done.returncode == 0, done
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "The last lamp: 3 sentences"
    assert "Making 3 images and 3 videos." in lines
    assert "images 3 of 3, videos 3 of 3" in lines
    assert re.fullmatch(r"done: 3 sentences, 3 images, 3 videos, 0 failed, \d+\.\d s", lines[-2])
    assert lines[-1] == f"6 files in {out}"
    names = ["01-the-keeper-lights-the-lamp", "02-who-is-there-he-asks", "03-nobody-answers"]
    assert sorted(path.name for path in out.iterdir()) == [f"{n}.{e}" for n in names for e in ("mp4", "png")]
    assert (out / "01-the-keeper-lights-the-lamp.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads(summary.read_text())
    assert 0 < told.pop("seconds") < WITHIN_S
    project_id = project_in(done.stdout)
    assert told == {
        "sentences": 3,
        "images": 3,
        "videos": 3,
        "failed": 0,
        "outcome": "completed",
        "project_id": project_id,
        "run_id": studio.storyboard(project_id)["runs"][0]["id"],
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [("generate - <&-", 2, "standard input is empty"), ("list >&-", 0, ""), ("generate - <&- 2>&-", 2, "")],
)
def test_closed_streams_are_no_surprise(studio: Stack, arguments: str, code: int, said: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} -m client {arguments}"],
        env=environment(studio.url),
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_of_the_story_reach_the_studio(studio: Stack) -> None:
    done = videogen(
        studio.url, "generate", "-", "--lines", "--title", "Two", "--style", "ink", "--order", "per_scene",
        "--size", "640x360", "--seconds", "1.5", "--fps", "12", "--images-only",
        stdin=b"Mr. Smith waits. He sleeps.\n\n  Then he goes.  \n",
    )  # fmt: skip
    assert done.returncode == 0, done
    board = studio.storyboard(project_in(done.stdout))
    assert [one["text"] for one in board["sentences"]] == ["Mr. Smith waits. He sleeps.", "Then he goes."]
    assert (board["project"]["title"], board["project"]["style"]) == ("Two", "ink")
    assert board["project"]["size"] == {"width": 640, "height": 360, "seconds": 1.5, "fps": 12}
    assert (board["runs"][0]["order"], board["runs"][0]["stages"]) == ("per_scene", ["image"])
    assert [one["video"] for one in board["sentences"]] == [None, None]


def test_going_on_with_a_project_makes_what_is_missing(studio: Stack, tmp_path: Path) -> None:
    first = videogen(studio.url, "generate", write(tmp_path, STORY), "--images-only")
    project_id = project_in(first.stdout)
    second = videogen(studio.url, "generate", "--project", project_id[:13])
    assert second.returncode == 0, second
    assert "Making 0 images and 3 videos." in second.stdout
    summary = tmp_path / "summary.json"
    third = videogen(
        studio.url, "generate", "--project", project_id, "--out", tmp_path / "out", "--summary-json", summary
    )
    assert third.returncode == 0
    assert json.loads(summary.read_text()) == {
        "sentences": 3,
        "images": 3,
        "videos": 3,
        "failed": 0,
        "seconds": 0.0,
        "outcome": "completed",
        "project_id": project_id,
        "run_id": None,
    }
    assert "There is nothing to do" in third.stdout
    assert "6 files" in third.stdout
    fourth = videogen(studio.url, "generate", "--project", project_id, "--replace", "video", "--sentence", "2")
    assert "Making 0 images and 1 video." in fourth.stdout
    assert [one["video_takes"] for one in studio.storyboard(project_id)["sentences"]] == [1, 2, 1]


def test_a_failing_sentence_is_told_and_can_be_retried(studio: Stack, tmp_path: Path) -> None:
    story = write(tmp_path, "All is well.\n\nfail:bad_prompt\n\nvideo/fail:too_dark\n")
    summary = tmp_path / "summary.json"
    done = videogen(studio.url, "generate", story, "--summary-json", summary, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "failed: 2 (image, bad_prompt): It will never work. | fail:bad_prompt" in done.stdout
    assert "failed: 3 (video, too_dark): It will never work. | video/fail:too_dark" in done.stdout
    assert "2 images, 1 video, 2 failed" in done.stdout
    assert json.loads(summary.read_text())["failed"] == 2
    assert "3 files" in done.stdout, "what was made is delivered"
    project_id = project_in(done.stdout)
    sentence = studio.storyboard(project_id)["sentences"][1]
    mended = studio.api.patch(f"/projects/{project_id}/sentences/{sentence['id']}", json={"text": "Mended."})
    mended.raise_for_status()
    again = videogen(studio.url, "retry", project_id[:8], "--cause", "bad_prompt")
    assert again.returncode == 0, again
    assert "Making 1 sentence again." in again.stdout
    # The newest run has no failure; what the first one left is found all the same.
    rest = videogen(studio.url, "retry", project_id)
    assert rest.returncode == 1
    assert "failed: 3 (video, too_dark)" in rest.stdout
    none = videogen(studio.url, "retry", project_id, "--sentence", "1")
    assert none.returncode == 2
    assert "None of these sentences failed" in none.stderr


def test_a_retry_finds_what_was_asked_for_in_whichever_run_and_leaves_other_runs_alone(studio: Stack) -> None:
    board = studio.project(["fail:one", "fail:two", "Fine."])
    project_id = board["project"]["id"]
    runs = []
    for sentence in board["sentences"]:
        runs.append(studio.press(project_id, sentence_ids=[sentence["id"]]))
        studio.ended(runs[-1]["id"])

    def retried(*arguments: str) -> str:
        """The run whose failures are made again."""
        done = videogen(studio.url, "retry", *arguments, "--detach")
        assert done.returncode == 0, done
        newest = studio.api.get(f"/projects/{project_id}/runs").json()["runs"][0]
        studio.ended(newest["id"])
        return str(newest["retry_of"])

    for wanted, complaint in (
        ((runs[2]["id"],), "Nothing failed in this run."),
        ((runs[1]["id"], "--sentence", "1"), "None of these sentences failed in this run."),
        ((project_id, "--cause", "three"), "Nothing failed for the cause 'three'."),
    ):
        refused = videogen(studio.url, "retry", *wanted, "--detach")
        assert (refused.returncode, refused.stderr.strip()) == (2, f"videogen: {complaint}")
    assert retried(project_id, "--sentence", "1") == runs[0]["id"]
    assert retried(project_id, "--cause", "two") == runs[1]["id"]


def test_failures_are_grouped_by_cause_on_a_terminal(studio: Stack, tmp_path: Path) -> None:
    story = write(tmp_path, "fail:rare\n\nfail:often\n\nfail:often\n")
    terminal = OnTerminal(studio.url, "generate", story, NO_COLOR="1")
    assert terminal.end() == 1
    end = without_codes(terminal.text[terminal.text.rindex("What went wrong") :])
    rows = [line.split()[:3] for line in end.splitlines()[2:7]]
    assert rows[0] == ["often,", "2", "sentences"]
    assert rows[3] == ["rare,", "1", "sentence"]
    assert [row[0] for row in rows if row[1].startswith("fail:")] == ["2", "3", "1"]
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", terminal.text), "NO_COLOR is honoured"


@pytest.mark.parametrize(
    ("content", "arguments", "expected"),
    [
        (b"", (), r"story\.txt is empty"),
        (b" \n\n\t", (), r"story\.txt is empty"),
        (b"caf\xe9", (), r"story\.txt is no UTF-8 text \(byte 4\)"),
        (b"x" * 9_000_000, (), r"story\.txt is too long: the studio takes at most 8,388,608 bytes"),
        (b"x" * 2_001_000, (), r"script: String should have at most 2000000 characters"),
        (b"word " * 500, (), r"script: Sentence 1 has 2,499 characters, and 2,000 are allowed"),
        (b"word " * 500, ("--lines",), r"sentences\[0\].*: String should have at most 2000 characters"),
        (b"A story.", ("--title", "t" * 201), r"title: String should have at most 200 characters"),
        (b"A story.", ("--title", ""), r"title: String should have at least 1 character"),
        (b"A story.", ("--size", "big"), r"--size is 'big', and should look like 1280x720"),
        (b"A story.", ("--size", "99999x2"), r"size\.width: .* size\.height: "),
        (b"A story.", ("--seconds", "0"), r"size\.seconds: Input should be greater than or equal to 0\.5"),
        (b"A story.", ("--fps", "many"), r"--fps"),
        (b"A story.", ("--order", "upwards"), r"--order"),
        (b"A story.", ("--sentence", "7"), r"--sentence 7: the story has 1 sentence"),
        (b"One.\nTwo.", ("--lines", "--sentence", "2", "--sentence", "0"), r"--sentence 0: the story has 2 sentences"),
        (b"A story.", ("--project", "abc"), r"Give either a story or --project"),
        (b"A story.", ("--out", "/dev/null/x"), r"--out /dev/null/x: no files can be written there"),
        (b"A story.", ("--summary-json", "/nonexistent/x"), r"--summary-json /nonexistent/x: it cannot be written"),
        (b"A story.", ("--detach", "--out", "/usr"), r"--detach does not wait for the end"),
        (b"A story.", ("--detach", "--summary-json", "x.json"), r"--detach does not wait for the end"),
        (b"A story.", ("--summary-json", "/usr"), r"--summary-json /usr: it cannot be written \(Is a directory\)"),
    ],
)
def test_bad_input_gets_one_clear_sentence(
    studio: Stack, tmp_path: Path, content: bytes, arguments: tuple[str, ...], expected: str
) -> None:
    path = tmp_path / "story.txt"
    path.write_bytes(content)
    before = studio.api.get("/projects").json()["total"]
    done = videogen(studio.url, "generate", path, *arguments)
    assert done.returncode == 2, done
    assert studio.api.get("/projects").json()["total"] == before
    assert re.search(expected, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert "Making" not in done.stdout


def test_what_is_not_there_is_said(studio: Stack, tmp_path: Path) -> None:
    for arguments, expected in (
        (("generate", tmp_path / "none.txt"), "none.txt cannot be read: No such file"),
        (("generate", tmp_path), "cannot be read: Is a directory"),
        (("generate",), "Give either a story or --project"),
        (("generate", "--project", "ffff"), "There is no project whose id begins with 'ffff'"),
        (("show", "00000000-0000-0000-0000-000000000000"), "There is no project"),
        (("cancel", "00000000-0000-0000-0000-000000000000"), "There is no run"),
        (("watch",), "Nothing is generated at present"),
        (("pause",), "There is no run to pause"),
    ):
        done = videogen(studio.url, *arguments)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert expected in done.stderr


@pytest.mark.parametrize("option", ["--out", "--summary-json"])
def test_what_cannot_be_written_is_said_before_a_run_is_made_or_watched(studio: Stack, option: str) -> None:
    before = studio.api.get("/projects").json()["total"]
    for command in ("generate", "retry", "watch"):
        story = ["-"] if command == "generate" else [str(uuid4())]
        done = videogen(studio.url, command, *story, option, "/dev/null/x", stdin=b"A story.")
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{option} /dev/null/x" in done.stderr
    assert studio.api.get("/projects").json()["total"] == before


def test_a_summary_is_replaced_at_the_end_and_not_before(studio: Stack, tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text("what the last run said")
    for summary in (old, new):
        assert videogen(studio.url, "generate", tmp_path / "none", "--summary-json", summary).returncode == 2
    assert old.read_text() == "what the last run said"
    assert not new.exists()
    for summary in (old, new):
        assert videogen(studio.url, "generate", write(tmp_path, "One."), "--summary-json", summary).returncode == 0
        assert json.loads(summary.read_text())["videos"] == 1
    piped = videogen(studio.url, "generate", write(tmp_path, "One."), "--summary-json", "/dev/stderr")
    assert json.loads(piped.stderr)["videos"] == 1


def test_the_files_come_though_the_summary_cannot_be_written_any_more(studio: Stack, tmp_path: Path) -> None:
    folder, out = tmp_path / "reports", tmp_path / "out"
    folder.mkdir()
    story = write(tmp_path, "take:2 one")
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "client", "generate", story, "--out", out, "--summary-json", folder / "x.json"],
        env=environment(studio.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    while "Making" not in process.stdout.readline():
        pass
    folder.rmdir()
    output, complaint = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 2
    assert "--summary-json" in complaint
    assert f"2 files in {out}" in output
    assert len(list(out.iterdir())) == 2


def test_a_studio_that_cannot_be_reached() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = videogen(url, "list")
    assert done.returncode == 4
    assert f"The studio does not answer at {url}: start it with `make run`, or set VIDEOGEN_URL." in done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8700",
        "http://",
        "http://[",
        "http://[x]",
        "http://127.0.0.1:port",
        "http://..",
        "ftp://x",
        "http://\x01",
    ],
)
def test_an_address_that_is_none_is_said(url: str) -> None:
    done = videogen(url, "list")
    assert done.returncode == 2
    assert done.stderr == f"videogen: VIDEOGEN_URL is {url!r}, and should look like http://127.0.0.1:8700.\n"


def test_something_else_under_the_address_is_not_believed() -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Stranger)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        done = videogen(f"http://127.0.0.1:{server.server_port}", "workers")
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 4
    assert "is not a VideoGen Studio" in done.stderr


def test_pause_resume_cancel_from_another_terminal(studio: Stack, tmp_path: Path) -> None:
    story = write(tmp_path, "take:60 one\n\ntake:60 two\n\ntake:60 three\n")
    started_one = videogen(studio.url, "generate", story, "--detach")
    assert started_one.returncode == 0, started_one
    project_id = project_in(started_one.stdout)
    run_id = studio.storyboard(project_id)["runs"][0]["id"]
    paused = videogen(studio.url, "pause", "--now")
    assert paused.returncode == 0, paused
    assert studio.run(run_id)["run"]["status"] == "paused"
    assert "paused" in videogen(studio.url, "list").stdout
    resumed = videogen(studio.url, "resume", project_id[:8])
    assert resumed.returncode == 0, resumed
    assert studio.run(run_id)["run"]["status"] == "running"
    cancelled = videogen(studio.url, "cancel", run_id)
    assert cancelled.returncode == 0, cancelled
    assert studio.run(run_id)["run"]["status"] == "cancelled"
    repeated = videogen(studio.url, "cancel", run_id)
    assert repeated.returncode == 0
    assert "ended already" in repeated.stdout


def test_of_several_runs_the_one_to_stop_is_named_and_not_guessed(studio: Stack) -> None:
    board = studio.project([f"take:60 sentence {number}" for number in range(3)])
    project_id, done = board["project"]["id"], board["sentences"][2]
    run = studio.press(project_id, sentence_ids=[done["id"]])
    bulk = studio.press(project_id)
    studio.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    studio.ended(run["id"])
    single = studio.press(project_id, sentence_ids=[done["id"]])
    other_id, other = started(studio, "take:60 elsewhere")

    def refused(*arguments: str) -> str:
        refusal = videogen(studio.url, *arguments)
        assert (refusal.returncode, refusal.stdout) == (2, ""), refusal
        return refusal.stderr

    both = [
        f"{single['id'][:8]} (1 sentence of project {project_id[:8]}, running, 0 of 1)",
        f"{bulk['id'][:8]} (all sentences of project {project_id[:8]}, running, 0 of 2)",
    ]
    for command in ("cancel", "pause"):
        for given in (project_id, project_id[:8]):
            told = refused(command, given)
            assert f"There are 2 runs to {command}: {both[0]}, {both[1]}." in told
            assert f"Name one, such as {single['id'][:8]}." in told
        assert f"There are 3 runs to {command}: {other['id'][:8]} (all sentences of project" in refused(command)
    assert [studio.run(each["id"])["run"]["status"] for each in (bulk, single, other)] == ["running"] * 3

    # One that is named is the one; and so is the only one that fits.
    assert videogen(studio.url, "pause", "--now", bulk["id"][:8]).returncode == 0
    assert [studio.run(each["id"])["run"]["status"] for each in (bulk, single)] == ["paused", "running"]
    assert videogen(studio.url, "resume").returncode == 0
    assert studio.run(bulk["id"])["run"]["status"] == "running"
    assert videogen(studio.url, "cancel", single["id"]).returncode == 0
    assert videogen(studio.url, "cancel", other_id[:8]).returncode == 0
    assert videogen(studio.url, "cancel").returncode == 0
    assert [studio.run(each["id"])["run"]["status"] for each in (bulk, single, other)] == ["cancelled"] * 3


def test_watching_a_run_that_somebody_cancels(studio: Stack) -> None:
    project_id, run = started(studio, "take:60 long")
    watching = subprocess.Popen(
        [sys.executable, "-u", "-m", "client", "watch"], env=environment(studio.url), stdout=subprocess.PIPE, text=True
    )
    assert watching.stdout
    watching.stdout.readline()
    studio.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    output, _ = watching.communicate(timeout=WITHIN_S)
    assert watching.returncode == 3
    assert "cancelled: 1 sentence, 0 images, 0 videos" in output
    ended = videogen(studio.url, "watch", project_id)
    assert ended.returncode == 3, "a run that has ended says how"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_terminal_a_signal_leaves_it_running(studio: Stack, tmp_path: Path, number: signal.Signals) -> None:
    story = write(tmp_path, "take:60 long")
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "client", "generate", str(story)],
        env=environment(studio.url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    head = "".join(process.stdout.readline() for _ in range(4))
    assert "images 0 of 1" in head
    process.send_signal(number)
    rest, _ = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    project_id = project_in(head)
    assert f"videogen watch {project_id[:8]}" in rest
    assert studio.storyboard(project_id)["runs"][0]["status"] == "running"


@pytest.mark.parametrize("keys", ["n\n", "\x04"])
def test_who_does_not_say_yes_to_many_files_starts_nothing(studio: Stack, tmp_path: Path, keys: str) -> None:
    terminal = OnTerminal(studio.url, "generate", write(tmp_path, "\n\n".join(["A sentence."] * 60)))
    terminal.wait_for("Make 60 images and 60 videos")
    terminal.type(keys)
    assert terminal.end() == 3
    assert studio.storyboard(project_in(without_codes(terminal.text)))["runs"] == []


def test_ctrl_c_asks_and_leaves_it_running(studio: Stack, tmp_path: Path) -> None:
    terminal = OnTerminal(studio.url, "generate", write(tmp_path, "take:60 long"))
    terminal.wait_for(r"Images.*0/1")
    terminal.type("\x03")
    terminal.wait_for("Leave it running")
    terminal.type("\n")
    assert terminal.end() == 130
    assert "watch" in terminal.text
    project_id = project_in(terminal.text)
    assert studio.storyboard(project_id)["runs"][0]["status"] == "running"


def test_ctrl_c_twice_leaves_at_once(studio: Stack, tmp_path: Path) -> None:
    terminal = OnTerminal(studio.url, "generate", write(tmp_path, "take:60 long"))
    terminal.wait_for(r"Images.*0/1")
    terminal.type("\x03")
    terminal.wait_for("Leave it running")
    terminal.type("\x03")
    assert terminal.end() == 130


def test_ctrl_c_can_cancel_and_waits_until_it_is(studio: Stack, tmp_path: Path) -> None:
    terminal = OnTerminal(studio.url, "generate", write(tmp_path, "take:60 long\n\nAnother."))
    terminal.wait_for(r"1 .*image.*\d+%")
    terminal.type("\x03")
    terminal.wait_for("Leave it running")
    terminal.type("c\n")
    assert terminal.end() == 3
    assert "cancelled: 2 sentences, 0 images, 0 videos" in terminal.text
    run = studio.storyboard(project_in(terminal.text))["runs"][0]
    assert run["status"] == "cancelled"


def test_lists_for_programs_and_for_people(studio: Stack, tmp_path: Path) -> None:
    made = videogen(studio.url, "generate", write(tmp_path, STORY), "--title", "For the list")
    project_id = project_in(made.stdout)
    rows = [line.split("\t") for line in videogen(studio.url, "list").stdout.splitlines()]
    assert [project_id, "For the list", "3", "3", "3", "completed"] in rows
    at_work = [line.split("\t")[1:4] for line in videogen(studio.url, "workers").stdout.splitlines()]
    assert at_work == [["images", "scripted", "idle"], ["videos", "scripted", "idle"]]
    shown = [line.split("\t") for line in videogen(studio.url, "show", project_id).stdout.splitlines()]
    assert shown[2] == ["3", "Nobody answers.", "yes", "yes", ""]
    for command, expected in (("list", "For the list"), ("workers", "scripted"), ("show", "Nobody answers.")):
        terminal = OnTerminal(studio.url, command, *([project_id] if command == "show" else []))
        assert terminal.end() == 0
        assert expected in terminal.text
        assert max(len(line) for line in without_codes(terminal.text).splitlines()) <= 80


def test_output_for_a_program_has_no_escape_codes(studio: Stack, tmp_path: Path) -> None:
    story = write(tmp_path, STORY + "\n\nfail:bad_prompt")
    for arguments in (("generate", story), ("list",), ("workers",), ("split", story), ("--help",), ("show",)):
        done = videogen(studio.url, *arguments)
        assert "\x1b" not in done.stdout + done.stderr, arguments


def test_a_split_is_shown_and_kept_nowhere(studio: Stack, tmp_path: Path) -> None:
    before = studio.api.get("/projects").json()["total"]
    done = videogen(studio.url, "split", write(tmp_path, STORY))
    assert done.stdout.splitlines() == [
        "1\tThe keeper lights the lamp.",
        '2\t"Who is there?" he asks.',
        "3\tNobody answers.",
    ]
    assert studio.api.get("/projects").json()["total"] == before


def test_an_export_of_nothing_is_no_success(studio: Stack, tmp_path: Path) -> None:
    project_id = studio.project(["One."])["project"]["id"]
    done = videogen(studio.url, "export", project_id, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is nothing to download yet" in done.stderr


def test_a_deleted_project_comes_back(studio: Stack) -> None:
    project_id = studio.project(["One."])["project"]["id"]
    deleted = videogen(studio.url, "delete", project_id[:8])
    assert deleted.returncode == 0, deleted
    assert f"videogen restore {project_id}" in deleted.stdout
    assert project_id not in videogen(studio.url, "list").stdout
    assert videogen(studio.url, "restore", project_id).returncode == 0
    assert project_id in videogen(studio.url, "list").stdout


HOSTILE = "[bold red]x[/] [/nonsense] \u202egnp.exe\u2066 <b>&amp;</b> :smile: \U0001f409 ../../etc/passwd {0} %s"


@pytest.mark.parametrize("terminal", [False, True])
def test_hostile_text_is_only_text(studio: Stack, tmp_path: Path, terminal: bool) -> None:
    story = write(tmp_path, f"{HOSTILE}\n\nfail:bad_prompt {HOSTILE}")
    arguments = ("generate", story, "--lines", "--title", HOSTILE, "--out", tmp_path / "out")
    shown = HOSTILE.replace("\u202e", "").replace("\u2066", "")
    if terminal:
        seen = OnTerminal(studio.url, *arguments)
        assert seen.end() == 1
        output = seen.text
        assert "[bold red]x[/] [/nonsense]" in output
    else:
        done = videogen(studio.url, *arguments)
        assert done.returncode == 1, done
        output = done.stdout
        assert output.splitlines()[0] == f"{shown}: 2 sentences"
    assert "\u202e" not in output
    assert "\u2066" not in output
    assert ":smile:" in output
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".png", ".mp4"}


def test_a_token_is_sent_and_its_lack_explained(amqp: tuple[str, str], tmp_path: Path) -> None:
    # A virtual host of its own: two studios on one would take each other's claims and results.
    amqp_url, management_url = amqp
    database = f"sqlite:///{tmp_path}/studio.db"
    with running_stack(amqp_url, management_url, database, tmp_path, API_TOKEN="s3cret-word") as stack:
        stack.coordinator()
        stack.notifier()
        without = videogen(stack.url, "list")
        assert without.returncode == 4
        assert "set API_TOKEN" in without.stderr
        made = stack.project(["take:0.1 one"])
        stack.worker("image")
        stack.worker("video")
        done = videogen(
            stack.url, "generate", "--project", made["project"]["id"], settings={"API_TOKEN": "s3cret-word"}
        )
        assert done.returncode == 0, done
        assert "refuses" not in done.stdout


def test_a_run_ends_in_view_while_services_come_and_go(amqp: tuple[str, str], tmp_path: Path) -> None:
    amqp_url, management_url = amqp
    database = f"sqlite:///{tmp_path}/studio.db"
    with running_stack(amqp_url, management_url, database, tmp_path) as stack:
        stack.coordinator()
        stack.worker("image")
        stack.worker("video")
        # No notifier at first: the storyboard is looked at every few seconds.
        story = write(tmp_path, "\n\n".join(f"take:0.5 sentence {n}" for n in range(6)))
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "client", "generate", str(story)],
            env=environment(stack.url),
            stdout=subprocess.PIPE,
            text=True,
        )
        eventually(stack.history, what="the first job")
        notifier = stack.notifier()
        time.sleep(1)
        notifier.kill()
        stack.restart("notifier")
        stack.services["coordinator"].kill()
        stack.restart("coordinator")
        output, _ = process.communicate(timeout=WITHIN_S)
        assert process.returncode == 0, output
        assert "done: 6 sentences, 6 images, 6 videos, 0 failed" in output


@pytest.mark.parametrize(
    "name", ["../outside.png", "/etc/x.png", "a/b.png", "..", "c:\\x.png", ".hidden", "a\\b", "x\x1b.png", "con:1"]
)
def test_an_archive_that_leads_elsewhere_is_refused_whole(tmp_path: Path, name: str) -> None:
    archive, staging, folder = tmp_path / "a.zip", tmp_path / "staging", tmp_path / "out"
    staging.mkdir()
    folder.mkdir()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("01-fine.png", b"fine")
        made.writestr(zipfile.ZipInfo(name), b"bad")
    with pytest.raises(Unreachable, match="nothing was unpacked"):
        unpack(archive, staging, folder)
    assert list(folder.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "out", "staging"]


def test_a_link_in_an_archive_is_refused_and_one_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    staging, folder, victim = tmp_path / "staging", tmp_path / "out", tmp_path / "victim"
    staging.mkdir()
    folder.mkdir()
    victim.write_text("mine")
    link = zipfile.ZipInfo("01-link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr(link, str(victim))
    with pytest.raises(Unreachable):
        unpack(tmp_path / "a.zip", staging, folder)
    (folder / "01-fine.png").symlink_to(victim)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as made:
        made.writestr("01-fine.png", b"fine")
    unpack(tmp_path / "b.zip", staging, folder)
    assert (folder / "01-fine.png").read_bytes() == b"fine"
    assert victim.read_text() == "mine"
