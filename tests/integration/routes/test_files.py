"""Images and videos over HTTP: whole, in ranges, not again; and never a file that is none of ours."""

import io
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.fixtures.desk import Desk, Front, Json, open_desk

DATA = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def desk(front: Front, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Files do not depend on the kind of database."""
    folder = tmp_path_factory.mktemp("files")
    with open_desk(front, f"sqlite:///{folder}/studio.db", folder) as desk:
        yield desk


@pytest.fixture
def url(desk: Desk) -> str:
    desk.artifacts.put("p/picture.png", DATA)
    return "/artifacts/p/picture.png"


@pytest.fixture
def photo(desk: Desk) -> str:
    """An image of 1280 x 720 that does not compress to nothing."""
    desk.artifacts.put("p/photo.png", picture(1280, 720))
    return "/artifacts/p/photo.png"


def picture(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((width, height), 40).convert("RGB").save(file, "PNG")
    return file.getvalue()


def opened(answer: httpx.Response) -> Image.Image:
    return Image.open(io.BytesIO(answer.content))


def test_a_file_is_answered_whole_with_its_type_and_is_kept_for_ever(desk: Desk, url: str) -> None:
    answer = desk.api.get(url)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["accept-ranges"] == "bytes"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_head_answers_the_same_without_the_file(desk: Desk, url: str) -> None:
    head, got = desk.api.head(url), desk.api.get(url)
    assert (head.status_code, head.content) == (200, b"")
    assert {n: v for n, v in head.headers.items() if n != "date"} == {
        n: v for n, v in got.headers.items() if n != "date"
    }


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=10-", 10, 1023), ("bytes=-4", 1020, 1023), ("bytes=1000-9999", 1000, 1023)]
    + [("bytes=0-0", 0, 0), ("bytes=-9999", 0, 1023), ("BYTES = 1-2", 1, 2)],
)
def test_a_range_is_answered_as_that_range(desk: Desk, url: str, wanted: str, first: int, last: int) -> None:
    answer = desk.api.get(url, headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == DATA[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(DATA)}"


@pytest.mark.parametrize("wanted", ["bytes=1024-", "bytes=5000-6000", "bytes=-0", "bytes=" + "9" * 18 + "-"])
def test_a_range_behind_the_end_is_a_416_that_tells_the_length(desk: Desk, url: str, wanted: str) -> None:
    answer = desk.api.get(url, headers={"Range": wanted})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "wanted",
    ["", "bytes", "bytes=", "bytes=-", "bytes=x-y", "bytes=9-3", "pages=1-2", "bytes=0-1,4-5", "bytes=--1"]
    + ["bytes=" + "9" * 5000 + "-", "bytes=٣-٤".encode().decode("latin-1")],
)
def test_a_range_that_makes_no_sense_is_the_whole_file(desk: Desk, url: str, wanted: str) -> None:
    answer = desk.api.get(url, headers={b"Range": wanted.encode("latin-1")})
    assert (answer.status_code, answer.content) == (200, DATA)


def test_what_a_browser_has_is_not_sent_again(desk: Desk, url: str) -> None:
    tag = desk.api.get(url).headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = desk.api.get(url, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b""), known
        assert answer.headers["etag"] == tag
    assert desk.api.get(url, headers={"If-None-Match": '"other"'}).content == DATA


def test_a_range_of_another_version_is_the_whole_file(desk: Desk, url: str) -> None:
    tag = desk.api.get(url).headers["etag"]
    assert desk.api.get(url, headers={"Range": "bytes=0-9", "If-Range": tag}).status_code == 206
    answer = desk.api.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (answer.status_code, answer.content) == (200, DATA)


def test_two_files_have_different_tags(desk: Desk, url: str) -> None:
    desk.artifacts.put("p/other.png", DATA)
    assert desk.api.get(url).headers["etag"] != desk.api.get("/artifacts/p/other.png").headers["etag"]


def raw(desk: Desk, path: str) -> bytes:
    """Ask for exactly this path: clients would tidy it up."""
    with socket.create_connection(("127.0.0.1", httpx.URL(desk.base).port or 0), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode("latin-1"))
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    "key",
    ["../secret", "p/../../secret", "%2e%2e/secret", "..%2fsecret", "p/%2e%2e/%2e%2e/secret", "%2e%2e%2fsecret"]
    + ["..%5csecret", "/etc/passwd", "%2fetc%2fpasswd", "//etc/passwd", "p/./picture.png", "p//picture.png", ""]
    + ["p/picture.png%00", "%00", "p/picture.png/", "p", "p/", "P/PICTURE.PNG", "missing.png", "a" * 300, "%ff%fe"]
    + ["%c0%ae%c0%ae/secret", "p/picture.png%0a", "file:///etc/passwd", "~root", "link.png", "linked/secret"],
)
def test_nothing_outside_the_folder_is_answered(desk: Desk, url: str, key: str) -> None:
    root: Path = desk.folder.root
    (root.parent / "secret").write_text("top secret")
    for name, target in (("link.png", root.parent / "secret"), ("linked", root.parent)):
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)
    answer = raw(desk, f"/api/v1/artifacts/{key}")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] in (b"404", b"400"), answer[:500]
    assert b"application/problem+json" in head or b"400" in head.splitlines()[0]
    assert b"secret" not in body
    assert b"root:" not in body


def test_a_partial_file_of_a_worker_is_not_answered(desk: Desk) -> None:
    desk.artifacts.put("q/a.png", DATA)
    (desk.folder.root / "q" / ".b.png.123").write_bytes(DATA)
    assert desk.api.get("/artifacts/q/.b.png.123").status_code == 404


# The archive.


def exported(desk: Desk, board: Json) -> tuple[zipfile.ZipFile, str]:
    answer = desk.api.get(f"/projects/{board['project']['id']}/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content)), answer.headers["content-disposition"]


def test_an_export_holds_the_selected_files_in_story_order(desk: Desk) -> None:
    board = desk.generated("The fox runs.", "No video failvideo:oom", "Nothing fail:nsfw", "The end.", title="Big Fox!")
    ids = [sentence["id"] for sentence in board["sentences"]]
    desk.post(f"/projects/{board['project']['id']}/sentences/reorder", {"sentence_ids": ids[::-1]})
    made, disposition = exported(desk, board)
    assert disposition == 'attachment; filename="big-fox.zip"'
    assert made.namelist() == [
        "01-the-end.png",
        "01-the-end.mp4",
        "03-no-video-failvideo-oom.png",
        "04-the-fox-runs.png",
        "04-the-fox-runs.mp4",
    ]
    key = board["sentences"][0]["image"]["key"]
    assert made.read("04-the-fox-runs.png") == desk.artifacts.read(key)


def test_an_export_of_nothing_says_so(desk: Desk) -> None:
    board = desk.project("One.")
    answer = desk.api.get(f"/projects/{board['project']['id']}/export")
    assert answer.status_code == 409
    assert "nothing to download" in answer.json()["detail"]


def test_an_export_leaves_out_a_file_that_is_gone(desk: Desk) -> None:
    board = desk.generated("One.", "Two.")
    desk.folder.path(board["sentences"][0]["image"]["key"]).unlink()
    made, _ = exported(desk, board)
    assert made.namelist() == ["01-one.mp4", "02-two.png", "02-two.mp4"]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("../../etc/passwd", "etc-passwd.zip"),
        ("a\r\nSet-Cookie: stolen=1", "a-set-cookie-stolen-1.zip"),
        ('x"; filename="evil.exe', "x-filename-evil-exe.zip"),
        ("日本", "storyboard.zip"),
        ("\u202egpj.exe", "gpj-exe.zip"),
    ],
)
def test_no_title_reaches_into_the_headers(desk: Desk, title: str, name: str) -> None:
    board = desk.generated("One.", title=title)
    answer = desk.api.get(f"/projects/{board['project']['id']}/export")
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(("width", "height"), [(480, 270), (960, 540)])
def test_an_image_is_answered_small(desk: Desk, photo: str, width: int, height: int) -> None:
    whole, small = desk.api.get(photo), desk.api.get(photo, params={"width": width})
    assert (opened(small).format, opened(small).size) == ("WEBP", (width, height))
    assert small.headers["content-type"] == "image/webp"
    assert "immutable" in small.headers["cache-control"]
    assert len(small.content) < len(whole.content) / 2
    assert small.headers["etag"] != whole.headers["etag"]
    again = desk.api.get(photo, params={"width": width}, headers={"If-None-Match": small.headers["etag"]})
    assert again.status_code == 304


def test_a_small_image_is_made_once(desk: Desk) -> None:
    desk.artifacts.put("once/photo.png", picture(1280, 720))
    first = desk.api.get("/artifacts/once/photo.png", params={"width": 480}).content
    desk.artifacts.put("once/photo.png", b"not read again")
    assert desk.api.get("/artifacts/once/photo.png", params={"width": 480}).content == first
    assert desk.artifacts.remove_some("once", 10) == 2, "it lies beside its image and goes with it"


def test_an_image_that_is_small_already_is_answered_as_it_is(desk: Desk) -> None:
    desk.artifacts.put("tiny/photo.png", picture(480, 480))
    answer = desk.api.get("/artifacts/tiny/photo.png", params={"width": 480})
    assert (answer.headers["content-type"], opened(answer).size) == ("image/png", (480, 480))
    assert desk.artifacts.remove_some("tiny", 10) == 1


def test_what_cannot_be_made_small_is_answered_as_it_is(desk: Desk, url: str) -> None:
    answer = desk.api.get(url, params={"width": 480})
    assert (answer.status_code, answer.content) == (200, DATA)


def test_a_small_image_that_cannot_be_kept_is_answered_all_the_same(desk: Desk) -> None:
    folder = desk.folder.root / "full"
    folder.mkdir()
    # A file is written under a longer name first, which is too long for the disk here.
    name = "a" * 220
    (folder / f"{name}.png").write_bytes(picture(1280, 720))
    assert opened(desk.api.get(f"/artifacts/full/{name}.png", params={"width": 480})).size == (480, 270)
    assert [file.name for file in folder.iterdir()] == [f"{name}.png"]


@pytest.mark.parametrize("width", ["0", "-1", "481", "100000", "wide", ""])
def test_other_widths_are_refused(desk: Desk, photo: str, width: str) -> None:
    answer = desk.api.get(photo, params={"width": width})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "width")


def test_a_video_has_no_small_image(desk: Desk) -> None:
    desk.artifacts.put("p/clip.mp4", DATA)
    answer = desk.api.get("/artifacts/p/clip.mp4", params={"width": 480})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "width")


@pytest.mark.parametrize("key", ["p/none.png", "../secret.png", "p/.hidden.png"])
def test_a_small_image_of_nothing_is_not_found(desk: Desk, key: str) -> None:
    assert raw(desk, f"/api/v1/artifacts/{key}?width=480").startswith(b"HTTP/1.1 404")
