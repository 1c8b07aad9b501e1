"""Who may come in: by which host, from which page, with which token, with how much."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
import structlog

from shared.token import COOKIE, session_cookie
from tests.fixtures.desk import Desk, Front, Json, open_desk
from tests.fixtures.stack import eventually

TOKEN = "correct-horse-battery"
MANY = 64 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a page in it."""
    (tmp_path / "page" / "assets").mkdir(parents=True)
    (tmp_path / "page" / "index.html").write_text("<title>the page</title>")
    (tmp_path / "page" / "assets" / "a.js").write_text("1")
    return tmp_path


@contextmanager
def desk_of(front: Front, folder: Path, **settings: Any) -> Iterator[Desk]:
    with open_desk(front, f"sqlite:///{folder}/studio.db", folder, **settings) as desk:
        yield desk


@pytest.fixture
def desk(front: Front, folder: Path) -> Iterator[Desk]:
    with desk_of(front, folder, max_body_bytes=MANY) as desk:
        yield desk


@pytest.fixture
def guarded(front: Front, folder: Path) -> Iterator[Desk]:
    with desk_of(front, folder, api_token=TOKEN) as desk:
        yield desk


@pytest.fixture
def nobody(guarded: Desk) -> Iterator[httpx.Client]:
    """A browser that has not logged in."""
    with httpx.Client(base_url=guarded.base) as client:
        yield client


def is_problem(answer: httpx.Response, status: int) -> Json:
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    problem: Json = answer.json()
    assert problem["status"] == status
    return problem


# Host and origin.


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8700", "LOCALHOST", "[::1]:8700", "[::1]"])
def test_the_service_is_reached_by_the_names_of_this_machine(desk: Desk, host: str) -> None:
    assert desk.api.get("/config", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8700", "", "[::2]", "127.0.0.1@evil", "[::1"],
)
def test_a_page_that_gave_us_a_name_of_its_own_is_refused(desk: Desk, host: str) -> None:
    for path in ("/api/v1/projects", "/", "/healthz", "/metrics"):
        problem = is_problem(desk.api.get(desk.base + path, headers={"Host": host}), 400)
        assert "ALLOWED_HOSTS" in problem["detail"]


def test_another_name_can_be_allowed(front: Front, folder: Path) -> None:
    with desk_of(front, folder, allowed_hosts="studio.example, 127.0.0.1") as desk:
        assert desk.api.get("/config", headers={"Host": "studio.example:80"}).status_code == 200
        is_problem(desk.api.get("/config", headers={"Host": "localhost"}), 400)
    with desk_of(front, folder, allowed_hosts="*") as desk:
        assert desk.api.get("/config", headers={"Host": "any.example"}).status_code == 200


def test_who_sends_the_token_itself_may_use_any_name(guarded: Desk, nobody: httpx.Client) -> None:
    elsewhere = {"Host": "172.18.0.5:8700"}
    assert guarded.api.get(f"{guarded.base}/metrics", headers=elsewhere).status_code == 200
    for more in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"{COOKIE}={session_cookie(TOKEN)}"}):
        problem = is_problem(nobody.get(f"{guarded.base}/metrics", headers={**elsewhere, **more}), 400)
        assert "ALLOWED_HOSTS" in problem["detail"]


@pytest.mark.parametrize(
    ("notifier_url", "host", "told"),
    [
        ("ws://127.0.0.1:8701", "localhost", "ws://localhost:8701"),
        ("ws://localhost:8701", "127.0.0.1:8700", "ws://127.0.0.1:8701"),
        ("ws://127.0.0.1:8701", "127.0.0.1:8700", "ws://127.0.0.1:8701"),
        ("wss://127.0.0.1", "localhost:8700", "wss://localhost"),
        ("wss://studio.example", "localhost", "wss://studio.example"),
        ("ws://127.0.0.1:8701", "studio.example", "ws://127.0.0.1:8701"),
    ],
)
def test_on_this_machine_the_socket_has_the_name_of_the_page(
    front: Front, folder: Path, notifier_url: str, host: str, told: str
) -> None:
    with desk_of(front, folder, notifier_url=notifier_url, allowed_hosts="*") as desk:
        assert desk.api.get("/config", headers={"Host": host}).json()["socket_url"] == told


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:9", "file://", "http://localhost", "http://[", "http://[x]", "["],
)
def test_a_page_of_another_origin_changes_nothing(desk: Desk, origin: str) -> None:
    before = desk.dump()
    for method, path in [("POST", "/projects"), ("DELETE", f"/projects/{uuid4()}"), ("PATCH", f"/projects/{uuid4()}")]:
        answer = desk.api.request(method, path, json={"title": "x"}, headers={"Origin": origin})
        assert "ALLOWED_ORIGINS" in is_problem(answer, 403)["detail"]
    assert desk.dump() == before
    read = desk.api.get("/projects", headers={"Origin": origin})
    assert "access-control-allow-origin" not in read.headers, "its browser keeps the answer from it"


def test_our_own_page_may_change_things(desk: Desk) -> None:
    assert desk.api.post("/projects", json={"title": "x"}, headers={"Origin": desk.base}).status_code == 201


def test_a_page_that_is_allowed_may_call_and_read(front: Front, folder: Path) -> None:
    origin = "http://studio.example:5173"
    with desk_of(front, folder, allowed_origins=f"http://other, {origin}", api_token=TOKEN) as desk:
        made = desk.api.post("/projects", json={"title": "x"}, headers={"Origin": origin})
        assert made.status_code == 201
        assert made.headers["access-control-allow-origin"] == origin
        assert made.headers["access-control-allow-credentials"] == "true"
        ask = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type,authorization"}
        for asking, status in [(origin, 200), ("http://evil.example", 400)]:
            answer = httpx.options(f"{desk.base}/api/v1/projects/{uuid4()}", headers={"Origin": asking, **ask})
            assert answer.status_code == status
        refused = desk.api.post("/projects", json={"title": "x"}, headers={"Origin": "http://evil.example"})
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


# The token.


def routes(desk: Desk) -> list[tuple[str, str]]:
    """Every route there is, with ids that nothing has."""
    paths = desk.app.openapi()["paths"]
    found = [(method.upper(), re.sub(r"\{\w+\}", str(uuid4()), path)) for path in paths for method in paths[path]]
    assert len(found) > 25
    return found


def test_no_route_answers_without_the_token_but_the_login(guarded: Desk, nobody: httpx.Client) -> None:
    for method, path in routes(guarded):
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Cookie": f"{COOKIE}=wrong"},
            {"Authorization": "Basic eDp5"},
        ):
            answer = nobody.request(method, path, headers=headers)
            if path == "/api/v1/login":
                assert answer.status_code == 422
            elif path == "/api/v1/logout":
                assert answer.status_code in (204, 401)
            else:
                problem = is_problem(answer, 401)
                assert answer.headers["www-authenticate"] == "Bearer"
                assert TOKEN not in problem["detail"]


def test_every_route_answers_with_the_token(guarded: Desk) -> None:
    for method, path in routes(guarded):
        assert guarded.api.request(method, guarded.base + path).status_code not in (401, 403), path


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/openapi.json",
        "/api/",
        "/api/v1/nothing",
        "/api/v1/artifacts/p/a.png",
        "/metrics%0a",
        "/openapi.json%0A",
    ]
    + ["/api%2fv1/projects", "/metrics?x=/healthz", "/%6detrics", "/api/v1/login/../projects", "/docs", "/redoc"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_spelling_of_an_address_gets_around_the_token(guarded: Desk, method: str, path: str) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(guarded.base).port or 0), timeout=10) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    status, body = answer.split()[1], answer.partition(b"\r\n\r\n")[2]
    if status == b"200":
        assert b"<title>the page</title>" in body or method == "HEAD", "only the page is open"
        assert b"text/html" in answer
    else:
        assert status in (b"401", b"404", b"405")
    assert b"videogen_" not in body
    assert b'"openapi"' not in body


def test_probes_and_the_page_are_open(nobody: httpx.Client) -> None:
    assert nobody.get("/healthz").text == "ok\n"
    assert nobody.head("/healthz").status_code == 200
    assert (nobody.get("/readyz").status_code, nobody.get("/readyz").text) == (503, "not connected to RabbitMQ\n")
    for path in ("/", "/index.html", "/assets/a.js"):
        assert nobody.get(path).status_code == 200


def test_a_browser_logs_in_once_and_out_again(nobody: httpx.Client) -> None:
    projects = "/api/v1/projects"
    done = nobody.post("/api/v1/login", json={"token": TOKEN})
    assert (done.status_code, done.content) == (204, b"")
    cookie = done.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert TOKEN not in cookie
    assert nobody.get(projects).status_code == 200
    assert nobody.post(projects, json={"title": "x"}).status_code == 201
    assert nobody.post("/api/v1/logout").status_code == 204
    is_problem(nobody.get(projects), 401)


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + " ", TOKEN.upper(), "\x00", "ü", session_cookie(TOKEN)])
def test_a_wrong_token_logs_nobody_in(guarded: Desk, token: str) -> None:
    answer = httpx.post(f"{guarded.base}/api/v1/login", json={"token": token})
    is_problem(answer, 401)
    assert "set-cookie" not in answer.headers


def test_a_login_from_another_origin_is_refused(guarded: Desk) -> None:
    answer = httpx.post(
        f"{guarded.base}/api/v1/login", json={"token": TOKEN}, headers={"Origin": "http://evil.example"}
    )
    is_problem(answer, 403)


def test_an_odd_cookie_of_another_service_does_not_lock_anybody_out(guarded: Desk) -> None:
    cookies = f'settings={{"a": "b, c"}}; {COOKIE}=old; {COOKIE}={session_cookie(TOKEN)}'
    assert httpx.get(f"{guarded.base}/api/v1/projects", headers={"Cookie": cookies}).status_code == 200


def test_a_login_where_no_token_is_set_needs_none(desk: Desk) -> None:
    answer = desk.api.post("/login", json={"token": "anything"})
    assert answer.status_code == 204
    assert "set-cookie" not in answer.headers


# How much.


def body_of(size: int) -> bytes:
    start, end = b'{"title": "x", "style": "', b'"}'
    return start + b" " * (size - len(start) - len(end)) + end


def pieces(body: bytes) -> Iterator[bytes]:
    """Sent without telling how long it is."""
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_not(desk: Desk, chunked: bool) -> None:
    json = {"Content-Type": "application/json"}
    for size, status in [(MANY, 422), (MANY + 1, 413), (10 * MANY, 413)]:
        body = body_of(size)
        before = desk.dump()
        answer = desk.api.post("/projects", content=pieces(body) if chunked else body, headers=json)
        problem = is_problem(answer, status)
        assert ("65,536 bytes" in problem["detail"]) == (status == 413)
        assert desk.dump() == before


def test_a_chunked_body_is_as_good_as_another(desk: Desk) -> None:
    body = pieces(b'{"title": "In pieces", "sentences": ["' + b"a" * 1500 + b'"]}')
    made = desk.api.post("/projects", content=body, headers={"Content-Type": "application/json"})
    assert made.status_code == 201
    assert made.json()["project"]["title"] == "In pieces"


def more_than(front: Front, dealt_with: int) -> bool:
    return front.dealt_with > dealt_with


def test_half_a_request_is_none(front: Front, desk: Desk) -> None:
    """Who hangs up before the body has come has not pressed the button."""
    board = desk.project("One.")
    path = f"/api/v1/projects/{board['project']['id']}/generate-scenes"
    before = desk.dump()
    for header in ("Transfer-Encoding: chunked", "Content-Length: 20\r\nContent-Type: application/json"):
        dealt_with = front.dealt_with
        with socket.create_connection(("127.0.0.1", front.port), timeout=10) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        eventually(partial(more_than, front, dealt_with), what="the request being given up")
    assert desk.dump() == before


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "", "9" * 30, "٣".encode().decode("latin-1")])
def test_a_length_that_makes_no_sense_is_refused(desk: Desk, length: str) -> None:
    before = desk.dump()
    with socket.create_connection(("127.0.0.1", httpx.URL(desk.base).port or 0), timeout=10) as connection:
        head = f"POST /api/v1/projects HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        assert connection.recv(65536).split()[1] in (b"400", b"413")
    assert desk.dump() == before


# The studio itself.


def test_the_configuration_tells_a_page_what_it_needs(front: Front, folder: Path) -> None:
    with desk_of(front, folder, notifier_url="ws://there:1", max_sentences=7, max_body_bytes=2048) as desk:
        config = desk.get("/config")
    assert (config["socket_url"], config["login"], config["order"]) == ("ws://there:1", False, "images_first")
    assert config["limits"] == {
        "sentence_characters": 2000,
        "prompt_characters": 4000,
        "title_characters": 200,
        "style_characters": 500,
        "script_characters": 2_000_000,
        "sentences": 7,
        "body_bytes": 2048,
    }
    assert config["size"] == {"width": 1280, "height": 720, "seconds": 4.0, "fps": 24}


def test_a_page_learns_that_it_must_log_in(guarded: Desk) -> None:
    assert guarded.get("/config")["login"] is True


def test_nobody_works_where_nobody_was_heard_of(desk: Desk) -> None:
    assert desk.get("/workers") == {"workers": []}


def test_the_metrics_are_those_of_prometheus(desk: Desk) -> None:
    answer = desk.api.get(f"{desk.base}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "videogen_queue_wait_seconds" in answer.text


def test_the_api_describes_itself_and_loads_nothing_from_elsewhere(desk: Desk) -> None:
    assert desk.api.get(f"{desk.base}/openapi.json").json()["info"]["title"] == "VideoGen Studio"
    for path in ("/docs", "/redoc"):
        assert "cdn" not in desk.api.get(desk.base + path).text


# Without the database.


@contextmanager
def without_database(desk: Desk, url: str) -> Iterator[None]:
    """The server refuses, or the file cannot be opened."""
    desk.database.engine.dispose()
    parsed = sa.make_url(url)
    if desk.database.is_sqlite:
        path = Path(parsed.database or "")
        files = [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]
        kept = [(file, file.rename(file.with_name(f"kept-{file.name}"))) for file in files if file.exists()]
        path.mkdir()
        yield
        path.rmdir()
        for file, name in kept:
            name.rename(file)
        return
    admin = sa.create_engine(
        parsed.set(drivername="postgresql+psycopg", database="postgres"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        allow = f'ALTER DATABASE "{parsed.database}" ALLOW_CONNECTIONS '
        connection.exec_driver_sql(allow + "false")
        yield
        connection.exec_driver_sql(allow + "true")
    admin.dispose()


def test_without_the_database_every_route_says_so_and_later_goes_on(
    front: Front, database_url: str, tmp_path: Path
) -> None:
    with open_desk(front, database_url, tmp_path) as desk:
        board = desk.project("One.")
        project = f"/projects/{board['project']['id']}"
        with without_database(desk, database_url):
            for method, path, body in [
                ("GET", "/projects", None),
                ("POST", "/projects", {"title": "x"}),
                ("GET", project, None),
                ("PATCH", project, {"title": "x"}),
                ("DELETE", project, None),
                ("POST", project + "/generate-scenes", None),
                ("GET", project + "/export", None),
                ("GET", f"/runs/{uuid4()}", None),
                ("POST", f"/runs/{uuid4()}/cancel", None),
            ]:
                problem = is_problem(desk.api.request(method, path, json=body), 503)
                assert "database does not answer" in problem["detail"]
            assert desk.api.get(f"{desk.base}/healthz").status_code == 200
            assert desk.get("/workers") == {"workers": []}
        assert desk.board(board["project"]["id"]) == board


@pytest.fixture
def plain_logs() -> Iterator[None]:
    """Without pretty tracebacks, which take seconds."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("plain_logs")
def test_a_mistake_of_ours_is_a_problem_document_without_its_inside(desk: Desk, folder: Path) -> None:
    board = desk.generated("One.")
    with desk.database.write() as connection:
        connection.exec_driver_sql("UPDATE scene SET plan = 'nonsense'")
    problem = is_problem(desk.api.get(f"/runs/{board['runs'][0]['id']}"), 500)
    assert "nonsense" not in problem["detail"]
    assert str(folder) not in problem["detail"]
