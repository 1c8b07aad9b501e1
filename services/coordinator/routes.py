"""The HTTP door: every route of the API. Each hands on to `runs`, `edits` or a read, and answers."""

import hmac
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from services.coordinator import edits, requests, responses, runs
from services.coordinator.advance import Advance
from services.coordinator.archive import archive, archive_name
from services.coordinator.errors import BadField, NotFound
from services.coordinator.files import YEAR_S, serve_artifact, serve_thumbnail
from services.coordinator.plan import Plan
from services.coordinator.presence import Presence
from services.coordinator.problems import Problem, problem_response
from services.coordinator.runs import Press
from services.coordinator.script import split_script
from services.coordinator.settings import CoordinatorSettings
from services.coordinator.store import scenes, storyboard
from services.coordinator.thumbnails import SmallWidth
from shared.artifacts import ENDINGS, Artifacts
from shared.contracts.project import Project, Sentence, Size, Storyboard
from shared.contracts.run import Order, Run
from shared.contracts.scene import Scene, SceneStatus, Stage
from shared.token import COOKIE, session_cookie

ProjectId = Annotated[UUID, Path(description="of the project")]
SentenceId = Annotated[UUID, Path(description="of the sentence")]
RunId = Annotated[UUID, Path(description="of the run")]

_problem = {"model": Problem, "content": {"application/problem+json": {}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Reached under a name that is not allowed", **_problem},
    401: {"description": "A token is set and was not given", **_problem},
    403: {"description": "Sent by a page of another origin", **_problem},
    404: {"description": "There is no such thing", **_problem},
    405: {"description": "This cannot be done here; the header `Allow` says what can", **_problem},
    409: {"description": "Not now: the answer says what is in the way", **_problem},
    413: {"description": "The body is too large", **_problem},
    415: {"description": "The body is not declared as JSON", **_problem},
    422: {"description": "A field is wrong; `errors` names it", **_problem},
    503: {"description": "The database or the storage does not answer", **_problem},
}


def answer(model: BaseModel, status: int = 200) -> Response:
    """Serialise once: what the database gave needs no second validation."""
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")


def api(
    advance: Advance,
    presence: Presence,
    settings: CoordinatorSettings,
    artifacts: Artifacts,
    stopped: Callable[[], None],
) -> APIRouter:
    """All routes under `/api/v1`. `stopped` is called after jobs were taken off the plan."""
    router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
    _project_routes(router, advance, settings)
    _sentence_routes(router, advance, settings)
    _press_routes(router, advance)
    _run_routes(router, advance, stopped)
    _file_routes(router, advance, settings, artifacts)
    _studio_routes(router, presence, settings)
    return router


def _project_routes(router: APIRouter, advance: Advance, settings: CoordinatorSettings) -> None:
    @router.post("/projects", status_code=201, response_model=Storyboard, tags=["projects"])
    def create_project(body: requests.NewProject) -> Response:
        """Create a storyboard from sentences, or from a script that is split into them."""
        if body.script is not None:
            given: list[Any] = list(_split(body.script))
            field = "script"
        else:
            given, field = list(body.sentences or []), "sentences"
        if len(given) > settings.max_sentences:
            raise BadField(
                field, f"A project holds at most {settings.max_sentences:,} sentences; these are {len(given):,}."
            )
        rows = [(s, None, None) if isinstance(s, str) else (s.text, s.prompt or None, s.seed) for s in given]
        made = edits.create_project(advance, title=body.title, style=body.style, size=body.size, sentences=rows)
        return answer(made, 201)

    @router.post("/split", response_model=responses.SplitSentences, tags=["projects"])
    def split(body: requests.SplitScript) -> Response:
        """Show how a script would be split, and keep nothing."""
        return answer(responses.SplitSentences(sentences=_split(body.script)))

    @router.get("/projects", response_model=responses.Projects, tags=["projects"])
    def list_projects(
        limit: Annotated[int, Query(ge=1, le=200)] = 50, offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0
    ) -> Response:
        """The newest first."""
        found, total = edits.list_projects(advance, limit, offset)
        return answer(responses.Projects(projects=found, total=total))

    @router.get("/projects/{project_id}", response_model=Storyboard, tags=["projects"])
    def read_project(project_id: ProjectId) -> Response:
        """The whole storyboard as of one moment: `project.seq` says which."""
        return answer(edits.read_storyboard(advance, project_id))

    @router.patch("/projects/{project_id}", response_model=Project, tags=["projects"])
    def edit_project(project_id: ProjectId, body: requests.EditProject) -> Response:
        """Change title, style or size. Takes made from the old ones are marked stale."""
        changes = body.model_dump(exclude_unset=True, exclude_none=True)
        changes.update(changes.pop("size", {}))
        return answer(edits.edit_project(advance, project_id, changes))

    @router.delete("/projects/{project_id}", status_code=204, tags=["projects"])
    def delete_project(project_id: ProjectId) -> None:
        """Put it away; `restore` brings it back. What runs for it is cancelled."""
        edits.delete_project(advance, project_id)

    @router.post("/projects/{project_id}/restore", response_model=Project, tags=["projects"])
    def restore_project(project_id: ProjectId) -> Response:
        """Undo the deletion."""
        return answer(edits.restore_project(advance, project_id))


def _sentence_routes(router: APIRouter, advance: Advance, settings: CoordinatorSettings) -> None:
    path = "/projects/{project_id}/sentences"

    @router.post(path, status_code=201, response_model=Sentence, tags=["sentences"])
    def add_sentence(project_id: ProjectId, body: requests.AddSentence) -> Response:
        """Insert a sentence at a place, or at the end."""
        made = edits.add_sentence(
            advance,
            project_id,
            text=body.text,
            prompt=body.prompt or None,
            position=body.position,
            limit=settings.max_sentences,
        )
        return answer(made, 201)

    @router.post(path + "/reorder", response_model=responses.Sentences, tags=["sentences"])
    def reorder(project_id: ProjectId, body: requests.Reorder) -> Response:
        """Put all sentences into a new order."""
        return answer(responses.Sentences(sentences=edits.reorder(advance, project_id, body.sentence_ids)))

    @router.patch(path + "/{sentence_id}", response_model=Sentence, tags=["sentences"])
    def edit_sentence(project_id: ProjectId, sentence_id: SentenceId, body: requests.EditSentence) -> Response:
        """Change text, prompt, seed or its lock. Takes of another text, prompt or seed are marked stale."""
        changes = body.model_dump(exclude_none=True)
        if "prompt" in body.model_fields_set:
            changes["prompt"] = body.prompt or None
        return answer(edits.edit_sentence(advance, project_id, sentence_id, changes))

    @router.delete(path + "/{sentence_id}", status_code=204, tags=["sentences"])
    def delete_sentence(project_id: ProjectId, sentence_id: SentenceId) -> None:
        """Put it away; `restore` brings it back. Its open scene is cancelled."""
        edits.delete_sentence(advance, project_id, sentence_id)

    @router.post(path + "/{sentence_id}/restore", response_model=Sentence, tags=["sentences"])
    def restore_sentence(project_id: ProjectId, sentence_id: SentenceId) -> Response:
        """Undo the deletion."""
        made = edits.restore_sentence(advance, project_id, sentence_id, limit=settings.max_sentences)
        return answer(made)

    @router.get(path + "/{sentence_id}/takes", response_model=responses.Takes, tags=["sentences"])
    def read_takes(project_id: ProjectId, sentence_id: SentenceId) -> Response:
        """Every image and video that was made for it, newest first."""
        return answer(responses.Takes(takes=edits.read_takes(advance, project_id, sentence_id)))

    @router.post(path + "/{sentence_id}/takes/{take_id}/select", response_model=Sentence, tags=["sentences"])
    def select_take(project_id: ProjectId, sentence_id: SentenceId, take_id: UUID) -> Response:
        """Show another take."""
        return answer(edits.select_take(advance, project_id, sentence_id, take_id))


ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"model": Run, "description": "This has changed it"}}


def _press_routes(router: APIRouter, advance: Advance) -> None:
    @router.post(
        "/projects/{project_id}/generate-scenes",
        response_model=Run | responses.PlanShown,
        responses=ACCEPTED,
        tags=["runs"],
    )
    def generate_scenes(
        project_id: ProjectId, body: Annotated[requests.GenerateScenes | None, Body()] = None
    ) -> Response:
        """Make what is missing. The same press again answers the active run."""
        asked = body or requests.GenerateScenes()
        press = Press(
            order=asked.order,
            stages=tuple(dict.fromkeys(asked.stages)),
            replace=tuple(dict.fromkeys(asked.replace)),
            sentence_ids=tuple(dict.fromkeys(asked.sentence_ids)) if asked.sentence_ids else None,
            vary=asked.vary,
        )
        if asked.dry_run:
            plan, sentences = runs.show_plan(advance, project_id, press)
            return answer(_shown(plan, sentences))
        run, new = runs.start(advance, project_id, press)
        return answer(run, 202 if new else 200)

    @router.get("/projects/{project_id}/runs", response_model=responses.Runs, tags=["runs"])
    def list_runs(project_id: ProjectId, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> Response:
        """The newest first."""
        with advance.database.read() as connection:
            head = storyboard.find_project(connection, project_id)
            if head is None or head.deleted_at:
                raise NotFound("project", project_id)
            rows = scenes.runs_of_project(connection, project_id, limit)
            found = [scenes.to_run(row, scenes.counters(connection, row.id), head.seq) for row in rows]
        return answer(responses.Runs(runs=found))

    @router.get("/runs/{run_id}", response_model=responses.RunDetail, tags=["runs"])
    def read_run(run_id: RunId) -> Response:
        """One run with its scenes, its failures by cause, and what stands in front of it."""
        return answer(_run_detail(advance, run_id))


def _run_routes(router: APIRouter, advance: Advance, stopped: Callable[[], None]) -> None:
    @router.post("/runs/{run_id}/cancel", response_model=Run, responses=ACCEPTED, tags=["runs"])
    def cancel(run_id: RunId) -> Response:
        """Stop a run. No job of it starts after this answer; one that runs stops within a step."""
        run, changed = runs.cancel(advance, run_id)
        stopped()
        return answer(run, 202 if changed else 200)

    @router.post("/runs/{run_id}/pause", response_model=Run, responses=ACCEPTED, tags=["runs"])
    def pause(run_id: RunId, body: Annotated[requests.PauseRun | None, Body()] = None) -> Response:
        """Hold a run. The running job finishes, unless it is to stop as well."""
        run, changed = runs.pause(advance, run_id, stop_running=bool(body and body.stop_running))
        stopped()
        return answer(run, 202 if changed else 200)

    @router.post("/runs/{run_id}/resume", response_model=Run, responses=ACCEPTED, tags=["runs"])
    def resume(run_id: RunId) -> Response:
        """Go on with a paused run."""
        run, changed = runs.resume(advance, run_id)
        return answer(run, 202 if changed else 200)

    @router.post(
        "/runs/{run_id}/scenes/{scene_id}/cancel",
        response_model=Scene,
        responses={202: {"model": Scene}},
        tags=["runs"],
    )
    def cancel_scene(run_id: RunId, scene_id: UUID) -> Response:
        """Stop one scene and leave the rest of the run alone."""
        scene, changed = runs.cancel_scene(advance, run_id, scene_id)
        return answer(scene, 202 if changed else 200)

    @router.post("/runs/{run_id}/seen", response_model=Run, responses=ACCEPTED, tags=["runs"])
    def seen(run_id: RunId) -> Response:
        """The creator is told that the run ended. 202 to the one tab that is to tell it, 200 to all after it."""
        run, changed = runs.mark_seen(advance, run_id)
        return answer(run, 202 if changed else 200)

    @router.post("/runs/{run_id}/retry-failed", response_model=Run, responses=ACCEPTED, tags=["runs"])
    def retry_failed(run_id: RunId, body: Annotated[requests.RetryFailed | None, Body()] = None) -> Response:
        """Make the failed sentences again: all, of one cause, or those named. Images that exist are kept.

        What did not fit is made in the size that was asked for here, else in the one that its failure names.
        """
        asked = body or requests.RetryFailed()
        run, new = runs.retry(advance, run_id, cause=asked.cause, sentence_ids=asked.sentence_ids, fits=asked.fits)
        return answer(run, 202 if new else 200)


def _file_routes(router: APIRouter, advance: Advance, settings: CoordinatorSettings, artifacts: Artifacts) -> None:
    zipped: dict[int | str, dict[str, Any]] = {200: {"description": "The files", "content": {"application/zip": {}}}}
    file: dict[int | str, dict[str, Any]] = {
        200: {"description": "The file", "content": {kind: {} for kind in ENDINGS}},
        206: {"description": "The range that was asked for"},
        304: {"description": "What the browser has is still right"},
        307: {"description": "The file is in a bucket, for a short time at this signed address"},
        416: {"description": "The file is shorter than that", **_problem},
    }

    @router.head("/artifacts/{key:path}", include_in_schema=False)
    @router.get("/artifacts/{key:path}", response_class=FileResponse, responses=file, tags=["files"])
    def read_artifact(
        key: str,
        request: Request,
        width: Annotated[SmallWidth | None, Query(description="in pixels: an image at most this wide, as WebP")] = None,
    ) -> Response:
        """An image or video, whole or a range of it; an image also small."""
        if width is not None:
            return serve_thumbnail(request, artifacts, key, width, settings.signed_url_s)
        return serve_artifact(request, artifacts, key, settings.signed_url_s)

    @router.get("/projects/{project_id}/export", response_class=StreamingResponse, responses=zipped, tags=["files"])
    def export(project_id: ProjectId) -> Response:
        """All selected images and videos in story order, as one ZIP archive."""
        head, files = edits.files_in_order(advance, project_id)
        disposition = f'attachment; filename="{archive_name(head.title)}"'
        return StreamingResponse(
            archive(files, artifacts), media_type="application/zip", headers={"Content-Disposition": disposition}
        )


def _studio_routes(router: APIRouter, presence: Presence, settings: CoordinatorSettings) -> None:
    @router.get("/workers", response_model=responses.Workers, tags=["studio"])
    def workers() -> Response:
        """Who is alive, with which generator, and what they do now; and who ended because it cannot work."""
        return answer(responses.Workers(workers=presence.known()))

    @router.get("/config", response_model=responses.Config, tags=["studio"])
    def config(request: Request) -> Response:
        """The socket's address, limits and defaults."""
        return answer(
            responses.Config(
                socket_url=_socket_url(settings.notifier_url, request.url.hostname or ""),
                limits=responses.Limits(
                    sentence_characters=requests.MAX_SENTENCE,
                    prompt_characters=requests.MAX_PROMPT,
                    title_characters=requests.MAX_TITLE,
                    style_characters=requests.MAX_STYLE,
                    script_characters=requests.MAX_SCRIPT,
                    sentences=settings.max_sentences,
                    body_bytes=settings.max_body_bytes,
                ),
                size=Size(),
                order=Order.IMAGES_FIRST,
                login=settings.token is not None,
                version=version("videogen-studio"),
            )
        )

    @router.post("/login", status_code=204, tags=["studio"])
    def login(body: requests.Login, request: Request) -> Response:
        """Give a browser the cookie that coordinator and notifier accept."""
        if settings.token is None:
            return Response(status_code=204)
        if not hmac.compare_digest(body.token.encode("utf-8", "replace"), settings.token.encode()):
            return problem_response(401, "That is not the API_TOKEN of this service.")
        done = Response(status_code=204)
        done.set_cookie(
            COOKIE,
            session_cookie(settings.token),
            max_age=YEAR_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return done

    @router.post("/logout", status_code=204, tags=["studio"])
    def logout() -> Response:
        """Forget the cookie."""
        done = Response(status_code=204)
        done.delete_cookie(COOKIE)
        return done


def probes(ready: Callable[[], str | None]) -> APIRouter:
    """`/healthz`, `/readyz`, `/metrics`: the same on every service."""
    router = APIRouter(include_in_schema=False)

    @router.head("/healthz")
    @router.get("/healthz")
    async def healthz() -> Response:  # Not in a thread: all of them may wait for the database.
        return Response("ok\n", media_type="text/plain")

    @router.head("/readyz")
    @router.get("/readyz")
    async def readyz() -> Response:
        reason = ready()
        return Response(f"{reason or 'ok'}\n", status_code=503 if reason else 200, media_type="text/plain")

    @router.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


def _socket_url(notifier_url: str, host: str) -> str:
    """On this machine the socket has the page's own name: the cookie of `localhost` is not sent to `127.0.0.1`."""
    parts = urlsplit(notifier_url)
    if host == parts.hostname or not {host, parts.hostname} <= {"127.0.0.1", "localhost"}:
        return notifier_url
    return parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host).geturl()


def _split(script: str) -> list[str]:
    sentences = split_script(script)
    for place, text in enumerate(sentences, 1):
        if len(text) > requests.MAX_SENTENCE:
            raise BadField(
                "script",
                f"Sentence {place} has {len(text):,} characters, and {requests.MAX_SENTENCE:,} are allowed; "
                "break it with a full stop or a blank line.",
            )
    return sentences


def _shown(plan: Plan, sentences: list[Sentence]) -> responses.PlanShown:
    return responses.PlanShown(
        images=plan.count(Stage.IMAGE),
        videos=plan.count(Stage.VIDEO),
        sentences=[
            responses.PlannedSentence(sentence_id=s.id, position=s.position, stages=list(plan.stages[s.id]))
            for s in sentences
            if s.id in plan.stages
        ],
        skipped=[
            responses.SkippedSentence(sentence_id=s.id, position=s.position, reason=plan.skipped[s.id])
            for s in sentences
            if s.id in plan.skipped
        ],
    )


def _run_detail(advance: Advance, run_id: UUID) -> responses.RunDetail:
    with advance.database.read() as connection:
        row = scenes.run_row(connection, run_id)
        head = storyboard.find_project(connection, row.project_id) if row else None
        if row is None or head is None:
            raise NotFound("run", run_id)
        found = scenes.of_run(connection, run_id)
        ahead = {}
        for stage in Stage:
            first = scenes.first_queued(connection, run_id, stage)
            ahead[stage] = 0 if first is None else scenes.queued_before(connection, stage, first, run_id)
        run = scenes.to_run(row, scenes.counters(connection, run_id), head.seq)
    groups: dict[str, responses.FailureGroup] = {}
    for scene in found:
        if scene.status is SceneStatus.FAILED and scene.failure:
            group = groups.get(scene.failure.cause)
            if group is None:
                group = responses.FailureGroup(cause=scene.failure.cause, failure=scene.failure, scenes=[])
                groups[group.cause] = group
            group.scenes.append(scene)
    return responses.RunDetail.model_construct(
        run=run,
        scenes=found,
        failures=sorted(groups.values(), key=lambda group: -len(group.scenes)),
        ahead=responses.Ahead(images=ahead[Stage.IMAGE], videos=ahead[Stage.VIDEO]),
    )
