"""The studio's REST API as the commands use it; whatever goes wrong becomes one sentence for the user."""

import ipaddress
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.contracts.events import WorkerSeen
from shared.contracts.project import ProjectSummary, Size, Storyboard
from shared.contracts.run import ACTIVE, Order, Run, RunKind
from shared.contracts.scene import Scene, Stage

DEFAULT_URL = "http://127.0.0.1:8700"
CONNECT_S, ANSWER_S = 5.0, 60.0
PAGE = 200  #: projects asked for at once
MOST_LISTED = 8  #: runs to choose from

A = TypeVar("A", bound=BaseModel)


class StudioError(Exception):
    """What the user is told before the command ends with `code`."""

    code = 2


class BadInput(StudioError):
    """What was given cannot be; nothing was changed."""


class NotThere(BadInput):
    """There is no such project or run."""


class NotNow(BadInput):
    """The request is fine, but not now. `run_id` is the run in the way, where there is one."""

    def __init__(self, message: str, run_id: UUID | None) -> None:
        super().__init__(message)
        self.run_id = run_id


class Unreachable(StudioError):
    """The studio does not answer, or not as it should."""

    code = 4


class Known(BaseModel):
    """An answer of which only these fields matter here."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Limits(Known):
    body_bytes: int
    title_characters: int


class Config(Known):
    socket_url: str
    limits: Limits


class Plan(Known):
    """What a press would make."""

    class Skipped(Known):
        reason: str

    images: int
    videos: int
    skipped: tuple[Skipped, ...] = ()


class RunDetail(Known):
    run: Run
    scenes: tuple[Scene, ...]


class _Projects(Known):
    projects: list[ProjectSummary]
    total: int


class _Runs(Known):
    runs: list[Run]


class _Workers(Known):
    workers: list[WorkerSeen]


class _Sentences(Known):
    sentences: list[str]


class _Problem(Known):
    class Field(Known):
        field: str
        message: str

    detail: str
    errors: tuple[Field, ...] = ()
    run_id: UUID | None = None


class Target(NamedTuple):
    """A run and the project it belongs to."""

    project_id: UUID
    run: Run
    named: bool = False  #: the run itself was meant, and not just any of its project


class Studio:
    """One studio under one address. Calls block; they may come from several threads."""

    def __init__(self, url: str, token: str | None) -> None:
        host = _host_of(url)
        if host is None:
            raise BadInput(f"VIDEOGEN_URL is {url!r}, and should look like {DEFAULT_URL}.")
        self.url = url.rstrip("/")
        # A proxy of the environment cannot reach what listens on this machine only.
        self.through_proxy = not is_loopback(host)
        try:
            self.headers = {"Authorization": f"Bearer {token.encode('ascii').decode()}"} if token else {}
        except UnicodeEncodeError:
            raise BadInput("API_TOKEN has characters that no HTTP header can carry.") from None
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers=self.headers,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            trust_env=self.through_proxy,
        )

    @classmethod
    def of_environment(cls) -> Self:
        """As VIDEOGEN_URL and API_TOKEN say."""
        return cls(os.environ.get("VIDEOGEN_URL") or DEFAULT_URL, os.environ.get("API_TOKEN") or None)

    def config(self) -> Config:
        return self._ask(Config, "GET", "/config")

    def workers(self) -> list[WorkerSeen]:
        return self._ask(_Workers, "GET", "/workers").workers

    def projects(self) -> Iterator[ProjectSummary]:
        """All of them, newest first."""
        seen: set[UUID] = set()
        offset = 0
        while True:
            page = self._ask(_Projects, "GET", "/projects", params={"limit": PAGE, "offset": offset})
            # One that is created meanwhile pushes others onto the next page.
            yield from (project for project in page.projects if project.id not in seen)
            seen.update(project.id for project in page.projects)
            offset += PAGE
            if not page.projects or offset >= page.total:
                return

    def split(self, script: str) -> list[str]:
        return self._ask(_Sentences, "POST", "/split", body={"script": script}).sentences

    def create(
        self, *, title: str, style: str, size: Size, script: str | None = None, sentences: Sequence[str] | None = None
    ) -> Storyboard:
        """A project from a script that the studio splits, or from sentences."""
        body: dict[str, Any] = {"title": title, "style": style, "size": size.model_dump()}
        body |= {"script": script} if sentences is None else {"sentences": list(sentences)}
        return self._ask(Storyboard, "POST", "/projects", body=body)

    def storyboard(self, project_id: UUID) -> Storyboard:
        return self._ask(Storyboard, "GET", f"/projects/{project_id}")

    def plan(self, project_id: UUID, press: dict[str, Any]) -> Plan:
        """What `press` would make, without making it."""
        return self._ask(Plan, "POST", f"/projects/{project_id}/generate-scenes", body=press | {"dry_run": True})

    def press(self, project_id: UUID, press: dict[str, Any]) -> Run:
        """Start a run; the same press again answers the active one."""
        return self._ask(Run, "POST", f"/projects/{project_id}/generate-scenes", body=press)

    def runs(self, project_id: UUID) -> list[Run]:
        """The newest first."""
        return self._ask(_Runs, "GET", f"/projects/{project_id}/runs", params={"limit": PAGE}).runs

    def run(self, run_id: UUID) -> RunDetail:
        return self._ask(RunDetail, "GET", f"/runs/{run_id}")

    def cancel(self, run_id: UUID) -> Run:
        return self._ask(Run, "POST", f"/runs/{run_id}/cancel")

    def pause(self, run_id: UUID, *, stop_running: bool) -> Run:
        return self._ask(Run, "POST", f"/runs/{run_id}/pause", body={"stop_running": stop_running})

    def resume(self, run_id: UUID) -> Run:
        return self._ask(Run, "POST", f"/runs/{run_id}/resume")

    def retry(self, run_id: UUID, *, cause: str | None, sentence_ids: Sequence[UUID] | None) -> Run:
        body = {"cause": cause, "sentence_ids": [str(i) for i in sentence_ids] if sentence_ids is not None else None}
        return self._ask(Run, "POST", f"/runs/{run_id}/retry-failed", body=body)

    def delete(self, project_id: UUID) -> None:
        self._send("DELETE", f"/projects/{project_id}")

    def restore(self, project_id: UUID) -> None:
        self._send("POST", f"/projects/{project_id}/restore")

    def export(self, project_id: UUID, into: Path) -> None:
        """Write the archive of all files of the project."""
        try:
            with self._http.stream("GET", f"/projects/{project_id}/export") as answer, into.open("wb") as file:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise self._refusal(answer)
                for piece in answer.iter_bytes():
                    file.write(piece)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def find_project(self, given: str) -> UUID:
        """A project by its id or the unique beginning of it."""
        if whole := _whole_id(given):
            return whole
        return self._only(given, {project.id: project.title for project in self.projects()}, "project")

    def find_run(self, given: str | None, *, wanting: str, fits: frozenset[str], latest: bool = False) -> Target:
        """A run by its own or its project's id, or the beginning of either; without an id, any in all projects.

        Of a project the one in a state of `fits`, else the latest. Where several fit, nobody guesses which was meant,
        unless the `latest` will do.
        """
        if given is None:
            found = [run for run in self.active_runs() if run.status in fits]
            if not found:
                raise BadInput(f"There is no run to {wanting}. Name a project: `videogen list` shows them.")
            return self._target(found, wanting, latest=latest)
        whole = _whole_id(given)
        if whole is None:
            names: dict[UUID, str] = {}
            for project in self.projects():
                names[project.id] = project.title
                names |= {run.id: f"run of {project.title}" for run in self._shown_runs(project)}
            whole = self._only(given, names, "project or run")
        try:
            runs = self.storyboard(whole).runs
        except NotThere:
            run = self.run(whole).run
            return Target(run.project_id, run, named=True)
        if not runs:
            raise BadInput(f"Nothing was generated in project {whole} yet: `videogen generate --project {whole}`.")
        return self._target([run for run in runs if run.status in fits] or runs[:1], wanting, latest=latest)

    def active_runs(self) -> list[Run]:
        """Those that go on in any project, newest first."""
        active = [run for project in self.projects() for run in self._shown_runs(project) if run.status in ACTIVE]
        return sorted(active, key=lambda run: run.created_at, reverse=True)

    def _shown_runs(self, project: ProjectSummary) -> list[Run]:
        """The active ones, where there are any, and the latest of the whole storyboard."""
        if project.run is None or project.run.status not in ACTIVE:
            return [project.run] if project.run else []
        try:
            # The summary names one run, and a single sentence may be made beside the others.
            return self.storyboard(project.id).runs
        except NotThere:
            return []  # It was deleted in this moment.

    @staticmethod
    def _target(runs: Sequence[Run], wanting: str, *, latest: bool) -> Target:
        if len(runs) > 1 and not latest:
            shown = ", ".join(f"{_short(run.id)} ({_described(run)})" for run in runs[:MOST_LISTED])
            more = f" and {len(runs) - MOST_LISTED:,} more" if len(runs) > MOST_LISTED else ""
            raise BadInput(
                f"There are {len(runs):,} runs to {wanting}: {shown}{more}. Name one, such as {_short(runs[0].id)}."
            )
        return Target(runs[0].project_id, runs[0])

    @staticmethod
    def _only(given: str, names: dict[UUID, str], what: str) -> UUID:
        beginning = given.lower().replace("-", "")
        found = [key for key in names if beginning and key.hex.startswith(beginning)]
        if not found:
            raise NotThere(f"There is no {what} whose id begins with {given!r}: `videogen list` shows them.")
        if len(found) > 1:
            ids = ", ".join(str(key) for key in found[:5])
            raise BadInput(f"{given!r} is the beginning of {len(found)} ids ({ids}); give more of it.")
        return found[0]

    def _ask(
        self,
        kind: type[A],
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
    ) -> A:
        answer = self._send(method, path, body=body, params=params)
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            raise self._stranger() from error

    def _send(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, params: dict[str, Any] | None = None
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            answer = self._http.request(method, path, content=content, params=params, headers=headers)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if not answer.is_success:
            raise self._refusal(answer)
        return answer

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        if isinstance(error, httpx.ReadTimeout):
            return Unreachable(f"The studio at {self.url} took longer than {ANSWER_S:.0f} s to answer.")
        return Unreachable(f"The studio does not answer at {self.url}: start it with `make run`, or set VIDEOGEN_URL.")

    def _stranger(self) -> Unreachable:
        return Unreachable(
            f"What answers at {self.url} is not a VideoGen Studio that this client knows: "
            "look at VIDEOGEN_URL, and update whichever of the two is older."
        )

    def _refusal(self, answer: httpx.Response) -> StudioError:
        try:
            problem = _Problem.model_validate_json(answer.content)
        except ValidationError:
            return self._stranger()
        match answer.status_code:
            case 401 | 403:
                return Unreachable(f"The studio at {self.url} wants its token: set API_TOKEN. ({problem.detail})")
            case 404:
                return NotThere(problem.detail)
            case 409:
                return NotNow(problem.detail, problem.run_id)
            case status if status >= 500 or status == 400:
                return Unreachable(f"The studio at {self.url} cannot do that now: {problem.detail}")
        return BadInput(" ".join(_named(error) for error in problem.errors) or problem.detail)


def is_loopback(host: str) -> bool:
    """Whether this name leads to this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host_of(url: str) -> str | None:
    """None where this is no address of a web server."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")  # As it will be looked up.
        httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return None
    return parts.hostname if parts.scheme in ("http", "https") else None


def _named(error: _Problem.Field) -> str:
    return f"{error.field}: {error.message.rstrip('.')}."


def _short(key: UUID) -> str:
    return str(key)[:8]


def _described(run: Run) -> str:
    what = "all sentences" if run.kind is RunKind.BULK else f"{run.scenes:,} sentence{'' if run.scenes == 1 else 's'}"
    progress = f"{run.progress.settled:,} of {run.progress.total:,}"
    return f"{what} of project {_short(run.project_id)}, {run.status}, {progress}"


def _whole_id(given: str) -> UUID | None:
    try:
        return UUID(given)
    except ValueError:
        return None


def press_of(
    *, order: Order, stages: Sequence[Stage], replace: Sequence[Stage], sentence_ids: Sequence[UUID] | None
) -> dict[str, Any]:
    """The body of a press."""
    body: dict[str, Any] = {"order": order, "stages": list(stages), "replace": list(replace)}
    return body if sentence_ids is None else body | {"sentence_ids": [str(i) for i in sentence_ids]}
