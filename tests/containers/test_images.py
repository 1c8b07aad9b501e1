"""What is in the images, and what is not."""

import json
from typing import Any

import pytest

from tests.fixtures.compose import docker
from tests.fixtures.stack import ROOT

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

MB = 1_000_000


def inspect(image: str) -> Any:
    return json.loads(docker("image", "inspect", image))[0]


def within(image: str, *command: str) -> str:
    return docker("run", "--rm", "--read-only", "--network", "none", "--entrypoint", command[0], image, *command[1:])


@pytest.mark.parametrize("service", ["coordinator", "notifier", "image_worker", "video_worker"])
def test_nobody_is_root_and_nothing_can_be_changed(images: dict[str, str], service: str) -> None:
    image = images[service]
    assert inspect(image)["Config"]["User"] == "studio"
    assert within(image, "id", "-u").strip() == "10001"
    writable = within(image, "find", "/app", "/usr/bin", "/usr/lib", "/usr/local", "-writable", "-not", "-type", "l")
    assert writable == ""


def test_each_has_its_own_packages_and_its_own_code(images: dict[str, str]) -> None:
    def packages(service: str) -> set[str]:
        return {found["name"].lower() for found in json.loads(within(images[service], "pip", "list", "--format=json"))}

    def code(service: str) -> str:
        return within(images[service], "find", "/app", "-name", "__main__.py").strip()

    heavy = {"torch", "diffusers", "transformers", "nvidia-cublas"}
    assert not heavy & {name for service in images for name in packages(service)}
    assert not {"pillow", "numpy", "av", "fastapi", "sqlalchemy"} & packages("notifier")
    assert not {"numpy", "av", "websockets"} & packages("coordinator")
    assert not {"fastapi", "sqlalchemy", "av"} & packages("image_worker")
    for service in images:
        assert not {"pytest", "testcontainers", "ruff"} & packages(service)
        assert code(service) == f"/app/services/{service}/__main__.py"


def test_packages_are_those_of_the_lock_file(images: dict[str, str]) -> None:
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    locked = {line.split(" ;")[0].lower() for line in lock if "==" in line}
    for service, wanted in {
        "coordinator": ["fastapi", "sqlalchemy", "psycopg", "pillow"],
        "notifier": ["websockets"],
        "image_worker": ["pillow", "numpy"],
        "video_worker": ["av"],
    }.items():
        frozen = {line.lower() for line in within(images[service], "pip", "freeze").split()}
        for name in ["aio-pika", "pydantic", "uvloop", *wanted]:
            assert {line for line in frozen if line.startswith(f"{name}==")} & locked, name


def test_only_the_coordinator_has_the_page(images: dict[str, str]) -> None:
    for service, image in images.items():
        found = within(image, "find", "/app/frontend", "-name", "index.html").strip()
        assert found == ("/app/frontend/dist/index.html" if service == "coordinator" else "")


def test_arabic_letters_are_joined(images: dict[str, str]) -> None:
    features = "from PIL import features; print(features.check_feature('raqm'), features.check_feature('fribidi'))"
    assert within(images["image_worker"], "python", "-c", features).split() == ["True", "True"]


def test_no_secret_lies_in_a_layer(images: dict[str, str]) -> None:
    for image in images.values():
        history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image).upper()
        settings = " ".join(inspect(image)["Config"]["Env"]).upper()
        for word in ("TOKEN", "PASSWORD", "SECRET", "CREDENTIAL"):
            assert word not in history
            assert word not in settings
        assert within(image, "find", "/app", "-name", ".env*", "-o", "-name", "*.pem", "-o", "-name", ".git") == ""


@pytest.mark.parametrize("service", ["coordinator", "notifier"])
def test_those_that_everybody_runs_are_small(images: dict[str, str], service: str) -> None:
    above = inspect(images[service])["Size"] - inspect("python:3.13-slim")["Size"]
    assert above < 250 * MB


def test_none_listens_to_others_without_a_token(images: dict[str, str]) -> None:
    for image in images.values():
        refusal = docker("run", "--rm", "--entrypoint", "sh", image, "-c", "python -m services.$SERVICE 2>&1 || true")
        assert "API_TOKEN" in refusal
