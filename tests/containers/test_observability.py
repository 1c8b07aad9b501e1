"""Prometheus with our configuration over a studio at work: everybody is asked, every question has an answer."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from tests.containers.conftest import SCRIPTED
from tests.fixtures.compose import ComposeStack, compose_stack, docker
from tests.fixtures.stack import ROOT, eventually

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "studio.json"
#: These have nothing to show while nothing is wrong.
SILENT = ("ALERTS", "failures", "reconnects", "evictions", "notifier_lag")


@pytest.fixture(scope="module")
def studio(
    images: dict[str, str], prometheus_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComposeStack]:
    folder = tmp_path_factory.mktemp("observed")
    variables = {"PROMETHEUS_IMAGE": prometheus_image, "BACKEND": SCRIPTED}
    with compose_stack(folder, **variables, COMPOSE_PROFILES="animatic,observability") as stack:
        # Grafana comes from no package: what it is given is read here instead.
        stack.up("coordinator", "notifier", "image-worker", "video-worker", "prometheus", **{"image-worker": 2})
        yield stack


def asked(stack: ComposeStack, path: str) -> Any:
    """An answer of Prometheus, which nobody outside can reach."""
    (prometheus,) = stack.containers("prometheus")
    text = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:9090/api/v1/{path}').read().decode())"
    return json.loads(docker("exec", prometheus, "python3", "-c", text))["data"]


def value(stack: ComposeStack, query: str) -> list[Any]:
    found: list[Any] = asked(stack, f"query?query={quote(query)}")["result"]
    return found


def queries() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def test_every_replica_is_asked_and_answers(studio: ComposeStack) -> None:
    wanted = ["coordinator", "image-worker", "image-worker", "notifier", "rabbitmq", "video-worker"]

    def seen() -> bool:
        try:
            active = asked(studio, "targets")["activeTargets"]
        except AssertionError:
            return False  # It starts.
        return sorted(target["labels"]["job"] for target in active if target["health"] == "up") == wanted

    eventually(seen, within_s=60, what="all targets being up")


def test_every_question_of_the_dashboard_has_an_answer(studio: ComposeStack) -> None:
    sentences = [{"text": "A sentence.", "prompt": "take:1 image/flaky:1"} for _ in range(30)]
    run = studio.press(studio.project(sentences)["project"]["id"], order="per_scene")
    for query in queries():
        if not any(name in query for name in SILENT):
            eventually(partial(value, studio, query), within_s=60, what=f"an answer to {query}")
    busy = eventually(lambda: value(studio, "studio:worker_busy:share1m > 0"), within_s=60, what="a busy worker")
    assert {found["metric"]["job"] for found in busy} <= {"image-worker", "video-worker"}
    eventually(lambda: value(studio, "videogen_failures_total"), within_s=60, what="failures")
    studio.ended(run["id"])


def test_a_missing_worker_raises_an_alert(studio: ComposeStack) -> None:
    assert {alert["labels"]["alertname"] for alert in asked(studio, "alerts")["alerts"]} <= {"ManyAttemptsFail"}
    studio.compose("stop", "video-worker")
    run = studio.press(studio.project(["A sentence."])["project"]["id"])

    def pending() -> bool:
        return "NoWorker" in {alert["labels"]["alertname"] for alert in asked(studio, "alerts")["alerts"]}

    eventually(pending, within_s=60, what="the alert")
    studio.compose("start", "video-worker")
    studio.ended(run["id"])


def test_rules_and_configuration_are_sound(studio: ComposeStack) -> None:
    (prometheus,) = studio.containers("prometheus")
    told = docker("exec", prometheus, "promtool", "check", "config", "/etc/prometheus/prometheus.yml")
    assert "SUCCESS" in told
