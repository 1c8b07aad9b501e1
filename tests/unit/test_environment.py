"""`make env`: secrets for docker compose, made once."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRETS = ("API_TOKEN", "RABBITMQ_PASSWORD", "POSTGRES_PASSWORD", "GRAFANA_PASSWORD")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with nothing but the script."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "env", tmp_path / "scripts" / "env")
    return tmp_path


def make_env(checkout: Path) -> dict[str, str]:
    subprocess.run([checkout / "scripts" / "env"], check=True, capture_output=True)
    return dict(line.split("=", 1) for line in (checkout / ".env").read_text().splitlines())


def test_every_secret_is_random_and_long(checkout: Path) -> None:
    made = make_env(checkout)
    assert len({made[name] for name in SECRETS}) == len(SECRETS)
    for name in SECRETS:
        assert len(made[name]) >= 32
        assert made[name].replace("-", "").replace("_", "").isalnum(), "it stands in an address"


def test_nobody_else_reads_it(checkout: Path) -> None:
    make_env(checkout)
    assert stat.S_IMODE((checkout / ".env").stat().st_mode) == 0o600


def test_what_is_there_stays(checkout: Path) -> None:
    first = make_env(checkout)
    assert make_env(checkout) == first


def test_what_was_chosen_stays_and_what_is_missing_is_added(checkout: Path) -> None:
    (checkout / ".env").write_text("API_TOKEN=my-own-token\nCOMPOSE_PROFILES=gpu\n")
    made = make_env(checkout)
    assert (made["API_TOKEN"], made["COMPOSE_PROFILES"]) == ("my-own-token", "gpu")
    assert set(SECRETS) <= set(made)
