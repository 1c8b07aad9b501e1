"""Tiny models for the tests of BACKEND=diffusers, and what it takes to run one."""

import gc
import io
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

if find_spec("torch") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    import warnings

    # What the libraries warn of while they are imported is their own affair.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch

        from shared.diffusion import model as _imported  # noqa: F401
        from tests.fixtures import tiny_models

    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Libraries that are pinned may warn of what their next version changes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))


class Shelf:
    """Tiny models in a folder, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> Path:
        path = self._folder / name
        return path if path.is_dir() else tiny_models.build(name, self._folder)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def _thaw() -> Iterator[None]:
    """A loaded model freezes what there is; the next test's garbage is garbage again."""
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def still() -> bytes:
    """A picture to start a video from, as a PNG of 96 x 64."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((96, 64)).convert("RGB").save(file, "PNG")
    return file.getvalue()
