"""`make models` against a hub of the test's own, which speaks as the real one does over HTTP."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from shared.diffusion.download import check_disk, needed
from shared.settings import SettingsError
from tests.diffusion.conftest import Shelf
from tests.fixtures.stack import ROOT, free_port

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "studio/tiny"


@dataclass
class Hub:
    """Repositories from folders."""

    url: str
    folders: dict[str, Path] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    def files(self, name: str) -> dict[str, bytes]:
        root = self.folders[name]
        return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


class Door(BaseHTTPRequestHandler):
    """The three questions that a download asks: about a repository, for its files' names, and for a file."""

    hub: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        asked = path.removeprefix("api/models/")
        owner, name, *more = asked.split("/")
        repository, rest = f"{owner}/{name}", "/".join(more)
        if repository not in self.hub.folders:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif asked == path:
            self._file(repository, rest.split("/", 2)[2])
        else:
            self._json(self._tree(repository) if rest.startswith("tree/") else self._about(repository))

    def _about(self, repository: str) -> object:
        siblings = [{"rfilename": file, "size": len(data)} for file, data in self.hub.files(repository).items()]
        return {"id": repository, "sha": COMMIT, "siblings": siblings, "cardData": {"license": "apache-2.0"}}

    def _tree(self, repository: str) -> object:
        files = self.hub.files(repository).items()
        return [{"type": "file", "path": file, "size": len(data), "oid": _oid(data)} for file, data in files]

    def _file(self, repository: str, file: str) -> None:
        data = self.hub.files(repository).get(file)
        if data is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        if self.command == "GET":
            self.hub.fetched.append(file)
        self._send(200, data, {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": COMMIT})

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for header, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(data)


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub(f"http://127.0.0.1:{free_port()}")
    door = type("Door", (Door,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", urlsplit(hub.url).port or 0), door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def models(hub: Hub, home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "IMAGE_MODEL": NAME,
        "NO_PROXY": "127.0.0.1",
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-m", "shared.diffusion.download", "--only", "image", *arguments],
        cwd=ROOT,
        env={**os.environ, **ours},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_model_is_downloaded_once_and_then_starts_without_the_hub(hub: Hub, shelf: Shelf, tmp_path: Path) -> None:
    hub.folders[NAME] = shelf["z-image"]
    done = models(hub, tmp_path, "--yes")
    assert done.returncode == 0, done.stderr
    assert "studio/tiny: 0.0 GiB, 0.0 GiB to download; licence apache-2.0" in done.stdout
    hub.fetched.clear()
    again = models(hub, tmp_path)
    assert again.returncode == 0, again.stderr
    assert "all of it here" in again.stdout
    assert [file for file in hub.fetched if file.endswith(".safetensors")] == []

    hub.folders.clear()
    code = (
        "from pathlib import Path\nfrom shared.contracts.scene import Stage\n"
        f"from tests.diffusion.loaded import load, make\nprint(make(load(Path({NAME!r}), Stage.IMAGE)).shape)"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.url, "OMP_NUM_THREADS": "1"}
    started = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "(1, 64, 96, 3)" in started.stdout, started.stderr


def test_pickles_and_other_precisions_stay_where_they_are(hub: Hub, shelf: Shelf, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(shelf["z-image"], tmp_path / "published"))
    for extra in (
        "transformer/diffusion_pytorch_model.bin",
        "transformer/diffusion_pytorch_model.fp16.safetensors",
        "everything.safetensors",
        "pipeline.py",
        "pictures/one.png",
    ):
        (folder / extra).parent.mkdir(exist_ok=True)
        (folder / extra).write_bytes(b"not wanted")
    hub.folders[NAME] = folder
    done = models(hub, tmp_path / "home", "--yes")
    assert done.returncode == 0, done.stderr
    wanted = {str(path.relative_to(shelf["z-image"])) for path in shelf["z-image"].rglob("*") if path.is_file()}
    assert set(hub.fetched) <= wanted
    assert any(file.endswith(".safetensors") for file in hub.fetched)


def test_nothing_is_fetched_that_nobody_agreed_to(hub: Hub, shelf: Shelf, tmp_path: Path) -> None:
    hub.folders[NAME] = shelf["z-image"]
    asked = models(hub, tmp_path)
    assert asked.returncode == 1
    assert "nobody is here to ask; say MODELS_ARGS=--yes" in asked.stderr
    told = models(hub, tmp_path, "--dry-run")
    assert told.returncode == 0
    assert set(hub.fetched) == {"model_index.json"}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("studio/nothing", "models: there is no "),
        ("studio/video", "IMAGE_MODEL=studio/video is Stable Video Diffusion, which makes videos: set VIDEO_MODEL"),
    ],
)
def test_what_cannot_be_used_is_refused_before_its_weights_are_fetched(
    hub: Hub, shelf: Shelf, tmp_path: Path, model: str, said: str
) -> None:
    hub.folders["studio/video"] = shelf["svd"]
    done = models(hub, tmp_path, "--yes", IMAGE_MODEL=model)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert set(hub.fetched) <= {"model_index.json"}


def test_a_hub_that_does_not_answer_is_told_in_one_line(hub: Hub, tmp_path: Path) -> None:
    done = models(hub, tmp_path, "--yes", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("models: ")


def test_a_folder_of_this_machine_needs_no_download(hub: Hub, shelf: Shelf, tmp_path: Path) -> None:
    done = models(hub, tmp_path, IMAGE_MODEL=str(shelf["z-image"]))
    assert (done.returncode, hub.fetched) == (0, [])


def test_a_download_that_would_fill_the_disk_is_refused(tmp_path: Path) -> None:
    check_disk(1000, tmp_path / "not" / "there" / "yet")
    with pytest.raises(SettingsError, match=r"needs 1000002\.0 GiB and \d+\.\d GiB are free"):
        check_disk(1_000_000 * 2**30, tmp_path)


def test_shards_come_with_their_index() -> None:
    index = {"transformer": ["diffusers", "T"], "vae": ["diffusers", "V"], "image_encoder": [None, None]}
    files = [
        "README.md",
        "transformer/config.json",
        "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
        "transformer/diffusion_pytorch_model.safetensors.index.json",
        "transformer/diffusion_pytorch_model.bin.index.json",
        "transformer/diffusion_pytorch_model.fp16.safetensors.index.json",
        "image_encoder/model.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    ]
    assert needed(index, files) == ["model_index.json", files[1], files[2], files[3]]
