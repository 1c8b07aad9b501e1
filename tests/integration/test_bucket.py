"""Files in an S3 bucket, over the wire to a real server: stored whole or not at all, fetched by browsers themselves."""

import io
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest
from PIL import Image

from shared.artifacts import S3_PIECE, ArtifactMissing, BadKey, Bucket, StorageFailed, open_artifacts
from shared.settings import SettingsError
from tests.fixtures.checker import check
from tests.fixtures.desk import open_desk, serving
from tests.fixtures.proxy import Proxy, proxy_to
from tests.fixtures.s3 import S3Server, s3_server, use_s3
from tests.fixtures.stack import ROOT, Stack, eventually, running_stack

DATA = bytes(range(256)) * 4


@pytest.fixture
def bucket(bucket_url: str) -> Bucket:
    opened = open_artifacts(bucket_url)
    assert isinstance(opened, Bucket)
    return opened


@pytest.fixture
def proxy(s3: S3Server, bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Between everybody and the server from now on."""
    with proxy_to(s3.port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        yield proxy


# The bucket itself.


def test_a_file_comes_out_as_it_went_in_and_a_second_one_takes_its_place(bucket: Bucket) -> None:
    for data in (DATA, b"", b"another"):
        bucket.put("p/s/image-1-ab.png", data)
        assert bucket.read("p/s/image-1-ab.png") == data
        assert b"".join(bucket.pieces("p/s/image-1-ab.png")) == data


def test_a_missing_file_is_missing_and_no_fault_of_the_bucket(bucket: Bucket) -> None:
    with pytest.raises(ArtifactMissing, match=r"p/none\.png is missing from s3://"):
        bucket.read("p/none.png")
    with pytest.raises(ArtifactMissing):
        next(bucket.pieces("p/none.png"))


def test_a_large_file_goes_in_parts_and_comes_in_pieces(bucket: Bucket) -> None:
    data = os.urandom(2 * S3_PIECE + 1)
    bucket.put("p/large.mp4", data)
    pieces = list(bucket.pieces("p/large.mp4"))
    assert [len(piece) for piece in pieces] == [S3_PIECE, S3_PIECE, 1]
    assert b"".join(pieces) == data


def test_files_lie_under_the_prefix_with_the_type_of_their_ending(bucket: Bucket, bucket_url: str) -> None:
    whole = Bucket(bucket_url.removesuffix("/studio/files"))
    for ending, media_type in (("png", "image/png"), ("webp", "image/webp"), ("mp4", "video/mp4")):
        bucket.put(f"p/file.{ending}", DATA)
        answer = httpx.get(whole.signed_url(f"studio/files/p/file.{ending}", "GET", 60))
        assert (answer.content, answer.headers["content-type"]) == (DATA, media_type)


@pytest.mark.parametrize("key", ["../x.png", "p/../x.png", "/x.png", "p//x.png", "p/.x.png", "", "P.png", "p/x.png\n"])
def test_a_key_that_leads_elsewhere_is_refused(bucket: Bucket, key: str) -> None:
    for refuses in (lambda: bucket.put(key, DATA), lambda: bucket.read(key), lambda: next(bucket.pieces(key))):
        with pytest.raises(BadKey):
            refuses()
    with pytest.raises(BadKey):
        bucket.signed_url(key, "GET", 60)


def test_files_are_removed_in_steps_and_those_of_others_stay(bucket: Bucket) -> None:
    for place in range(5):
        bucket.put(f"mine/{place}/a.png", DATA)
    bucket.put("mine-too/a.png", DATA)
    assert [bucket.remove_some("mine", 2) for _ in range(4)] == [2, 2, 1, 0]
    with pytest.raises(ArtifactMissing):
        bucket.read("mine/4/a.png")
    assert bucket.read("mine-too/a.png") == DATA


def test_a_connection_that_breaks_leaves_the_whole_old_file(bucket: Bucket, bucket_url: str, proxy: Proxy) -> None:
    bucket.put("p/a.mp4", DATA)
    beyond = Bucket(bucket_url)
    proxy.piece, proxy.delay_s = 4096, 0.01
    breaks = threading.Timer(0.5, break_off, [proxy])
    breaks.start()
    with pytest.raises(StorageFailed) as failed:
        beyond.put("p/a.mp4", os.urandom(4 << 20))
    breaks.join()
    assert f"{bucket_url}: " in str(failed.value)
    assert not failed.value.refused
    assert bucket.read("p/a.mp4") == DATA


def break_off(proxy: Proxy) -> None:
    """What is connected loses its connection, and nobody gets a new one."""
    proxy.cut = True
    proxy.reset()


# What is wrong is said at the start.


def test_a_bucket_that_is_not_there_is_named(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use_s3(monkeypatch, s3.url)
    with pytest.raises(SettingsError, match=r"^ARTIFACTS_URL=s3://no-such-bucket/x: .*does not exist \(NoSuchBucket\)"):
        open_artifacts("s3://no-such-bucket/x")


def test_credentials_that_are_wrong_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(tmp_path) as server:
        use_s3(monkeypatch, server.url)
        server.create_bucket("guarded")
        key = permitted(server)
        server.check_signatures()
        with pytest.raises(SettingsError, match=r"ARTIFACTS_URL=s3://guarded: .*InvalidAccessKeyId.*AWS_ACCESS_KEY_ID"):
            open_artifacts("s3://guarded")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        with pytest.raises(SettingsError, match=r"ARTIFACTS_URL=s3://guarded: .*SignatureDoesNotMatch"):
            open_artifacts("s3://guarded")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        bucket = open_artifacts("s3://guarded")
        bucket.put("p/a.png", DATA)
        assert bucket.read("p/a.png") == DATA


def permitted(server: S3Server) -> dict[str, str]:
    """The key of a user who may do what docs/storage.md says."""
    iam = boto3.client("iam", endpoint_url=server.url, region_name="eu-central-1")
    iam.create_user(UserName="studio")
    policy = (ROOT / "docs" / "storage.md").read_text().split("```json\n")[1].split("```")[0]
    iam.put_user_policy(UserName="studio", PolicyName="files", PolicyDocument=policy.replace("BUCKET", "guarded"))
    key: dict[str, str] = iam.create_access_key(UserName="studio")["AccessKey"]
    return key


def test_a_server_that_is_silent_at_the_start_may_answer_later(bucket_url: str, proxy: Proxy) -> None:
    proxy.cut = True
    bucket = open_artifacts(bucket_url)
    with pytest.raises(StorageFailed, match="s3://"):
        bucket.put("p/a.png", DATA)
    proxy.cut = False
    bucket.put("p/a.png", DATA)
    assert bucket.read("p/a.png") == DATA


@pytest.mark.parametrize("service", ["coordinator", "image_worker", "video_worker"])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ARTIFACTS_URL", "s3://"),
        ("ARTIFACTS_URL", "s3://UPPER/x"),
        ("ARTIFACTS_URL", "s3://bucket/a/../b"),
        ("ARTIFACTS_URL", "gs://bucket"),
        ("ARTIFACTS_URL", "s3://no-such-bucket"),
        ("AWS_ENDPOINT_URL", "nonsense"),
    ],
)
def test_a_wrong_setting_ends_a_service_with_one_sentence_that_names_it(
    bucket_url: str, tmp_path: Path, service: str, variable: str, value: str
) -> None:
    settings = {"ARTIFACTS_URL": bucket_url, "DATABASE_URL": f"sqlite:///{tmp_path}/studio.db", variable: value}
    ended = subprocess.run(
        [sys.executable, "-m", f"services.{service}"],
        cwd=ROOT,
        env={**os.environ, **settings, "BACKEND": "tests.generators:Scripted"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (2, 1), ended.stderr
    assert variable in ended.stderr


def test_variables_that_are_empty_count_as_not_set(bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "")
    bucket = open_artifacts(bucket_url)
    bucket.put("p/a.png", DATA)
    assert bucket.read("p/a.png") == DATA


# What browsers get.


@pytest.fixture
def redirect(bucket: Bucket, bucket_url: str, tmp_path: Path) -> Iterator[httpx.Response]:
    """The coordinator's answer to who asks for `p/a.png`."""
    bucket.put("p/a.png", DATA)
    settings = {"artifacts_url": bucket_url, "signed_url_s": 90}
    with serving() as front, open_desk(front, f"sqlite:///{tmp_path}/studio.db", tmp_path, **settings) as desk:
        yield desk.api.get("/artifacts/p/a.png")


def test_a_file_is_fetched_from_the_bucket_whole_and_in_ranges(redirect: httpx.Response, s3: S3Server) -> None:
    assert (redirect.status_code, redirect.content) == (307, b"")
    url = redirect.headers["location"]
    assert url.startswith(f"{s3.url}/")
    answer = httpx.get(url)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, DATA, "image/png")
    answer = httpx.get(url, headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, DATA[10:20])
    assert answer.headers["content-range"] == f"bytes 10-19/{len(DATA)}"


def test_a_link_lives_as_long_as_the_setting_says_and_is_kept_for_less(redirect: httpx.Response) -> None:
    query = parse_qs(urlsplit(redirect.headers["location"]).query)
    assert query["X-Amz-Expires"] == ["90"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert redirect.headers["cache-control"] == "private, max-age=30"


def test_browsers_are_sent_to_the_address_that_they_can_reach(
    bucket_url: str, tmp_path: Path, proxy: Proxy, s3: S3Server
) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<title>The page</title>")
    settings = {"artifacts_url": bucket_url, "artifacts_public_endpoint": s3.url}
    with serving() as front, open_desk(front, f"sqlite:///{tmp_path}/studio.db", tmp_path, **settings) as desk:
        desk.artifacts.put("p/a.png", DATA)
        head = desk.api.head("/artifacts/p/a.png")
        policy = httpx.get(f"{desk.base}/").headers["content-security-policy"]
    assert head.headers["location"].startswith(f"{s3.url}/")
    assert httpx.head(head.headers["location"]).headers["content-length"] == str(len(DATA))
    assert f"img-src 'self' data: blob: {s3.url};" in policy
    assert f"media-src 'self' blob: {s3.url};" in policy


def test_a_small_image_is_made_from_the_bucket_and_kept_there(bucket_url: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.effect_noise((1280, 720), 40).convert("RGB").save(file, "PNG")
    settings = {"artifacts_url": bucket_url}
    with serving() as front, open_desk(front, f"sqlite:///{tmp_path}/studio.db", tmp_path, **settings) as desk:
        desk.artifacts.put("small/photo.png", file.getvalue())
        small = desk.api.get("/artifacts/small/photo.png", params={"width": 480})
        assert Image.open(io.BytesIO(small.content)).size == (480, 270)
        assert desk.artifacts.read("small/photo.w480.webp") == small.content
        tiny = desk.api.get("/artifacts/small/photo.w480.webp", params={"width": 480})
        assert tiny.status_code == 307, "what is small already is fetched from the bucket itself"


# The whole way.


@pytest.fixture
def stack(bucket_url: str, amqp: tuple[str, str], tmp_path: Path) -> Iterator[Stack]:
    with running_stack(*amqp, f"sqlite:///{tmp_path}/studio.db", tmp_path, ARTIFACTS_URL=bucket_url) as stack:
        yield stack


def test_a_story_is_made_shown_and_exported(stack: Stack, bucket: Bucket) -> None:
    stack.start()
    run = stack.press(stack.project(["The fox runs.", "It sleeps.", "The end."])["project"]["id"])
    ended = stack.ended(run["id"])["run"]
    assert (ended["images"]["done"], ended["videos"]["done"]) == (3, 3)
    board = stack.storyboard(run["project_id"])
    for sentence in board["sentences"]:
        for stage in ("image", "video"):
            answer = stack.api.get(f"/artifacts/{sentence[stage]['key']}", follow_redirects=True)
            assert len(answer.history) == 1
            assert (answer.status_code, len(answer.content)) == (200, sentence[stage]["size"])
    exported = stack.api.get(f"/projects/{run['project_id']}/export")
    made = zipfile.ZipFile(io.BytesIO(exported.content))
    assert made.testzip() is None
    assert made.namelist() == [
        f"0{place}-{name}.{ending}"
        for place, name in ((1, "the-fox-runs"), (2, "it-sleeps"), (3, "the-end"))
        for ending in ("png", "mp4")
    ]
    assert made.read("02-it-sleeps.mp4") == bucket.read(board["sentences"][1]["video"]["key"])
    assert not (stack.folder / "artifacts").exists()
    assert check(stack) == []


def test_a_worker_that_cannot_store_waits_and_no_work_is_lost(proxy: Proxy, stack: Stack) -> None:
    stack.start()
    project = stack.project(["made once image/take:3"])["project"]
    run = stack.press(project["id"])
    eventually(stack.history, what="the job")
    break_off(proxy)
    said = eventually(lambda: waits(stack), what="the worker to say that it waits")
    assert said.startswith("waiting for the storage")
    assert stack.run(run["id"])["run"]["images"]["done"] == 0
    proxy.cut = False
    ended = stack.ended(run["id"])["run"]
    assert (ended["images"]["done"], ended["videos"]["done"], ended["failed"]) == (1, 1, 0)
    assert [(line["what"], line["stage"]) for line in stack.history()] == [
        (what, stage) for stage in ("image", "video") for what in ("start", "end")
    ]
    assert check(stack) == []


def test_a_worker_that_cannot_read_its_image_waits(proxy: Proxy, stack: Stack) -> None:
    stack.start()
    project = stack.project(["image first"])["project"]
    stack.ended(stack.press(project["id"], stages=["image"])["id"])
    break_off(proxy)
    run = stack.press(project["id"])
    eventually(lambda: waits(stack), what="the worker to say that it waits")
    proxy.cut = False
    ended = stack.ended(run["id"])
    assert (ended["run"]["videos"]["done"], ended["scenes"][0]["attempt"]) == (1, 1)


def test_a_worker_that_waits_stops_when_it_is_told_to(proxy: Proxy, stack: Stack) -> None:
    stack.start()
    run = stack.press(stack.project(["never stored take:1"])["project"]["id"])
    eventually(stack.history, what="the job")
    break_off(proxy)
    eventually(lambda: waits(stack), what="the worker to say that it waits")
    stack.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    assert stack.ended(run["id"], within_s=15)["run"]["status"] == "cancelled"


def test_a_bucket_that_stays_away_fails_the_scene_with_its_reason(
    bucket_url: str, amqp: tuple[str, str], tmp_path: Path, proxy: Proxy
) -> None:
    settings = {"ARTIFACTS_URL": bucket_url, "STORAGE_PATIENCE_S": "0"}
    with running_stack(*amqp, f"sqlite:///{tmp_path}/studio.db", tmp_path, **settings) as stack:
        stack.start()
        proxy.cut = True
        run = stack.press(stack.project(["never stored"])["project"]["id"])
        failure: dict[str, Any] = stack.ended(run["id"])["failures"][0]
    assert failure["cause"] == "storage_failed"
    assert failure["failure"]["message"].startswith(f"The finished image could not be stored: {bucket_url}: ")


def test_an_export_while_the_bucket_is_away_breaks_off_and_works_later(proxy: Proxy, stack: Stack) -> None:
    stack.start()
    project = stack.project(["one"])["project"]
    stack.ended(stack.press(project["id"])["id"])
    break_off(proxy)
    with pytest.raises(httpx.RemoteProtocolError):
        stack.api.get(f"/projects/{project['id']}/export")
    proxy.cut = False
    made = zipfile.ZipFile(io.BytesIO(stack.api.get(f"/projects/{project['id']}/export").content))
    assert made.namelist() == ["01-one.png", "01-one.mp4"]


def waits(stack: Stack) -> str:
    """What a worker says about the storage that it waits for; others may still load."""
    said = [str(worker["detail"]) for worker in stack.api.get("/workers").json()["workers"]]
    return next((detail for detail in said if "storage" in detail), "")
