"""The archive of a storyboard: safe names in story order, and never whole in memory."""

import io
import os
import re
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.archive import archive, archive_name, file_name
from shared.artifacts import PIECE, Folder
from shared.contracts.scene import Artifact

SAFE = re.compile(r"[a-z0-9][a-z0-9-]*\.[a-z0-9]+")


def artifact(key: str) -> Artifact:
    return Artifact(key=key, media_type="image/png", size=1, width=8, height=8)


def opened(chunks: list[bytes]) -> zipfile.ZipFile:
    made = zipfile.ZipFile(io.BytesIO(b"".join(chunks)))
    assert made.testzip() is None
    return made


def test_files_are_named_in_story_order_and_come_out_as_they_went_in(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    files = []
    for place, text in [(1, "The fox runs."), (2, "Über den Fluß!"), (10, "日本語")]:
        for ending in ("png", "mp4"):
            folder.put(f"p/{place}.{ending}", f"{place}{ending}".encode())
            files.append((place, text, artifact(f"p/{place}.{ending}")))
    made = opened(list(archive(files, folder)))
    assert made.namelist() == [
        "01-the-fox-runs.png",
        "01-the-fox-runs.mp4",
        "02-uber-den-flu.png",
        "02-uber-den-flu.mp4",
        "10-scene.png",
        "10-scene.mp4",
    ]
    assert made.read("02-uber-den-flu.mp4") == b"2mp4"


def test_names_sort_in_story_order_however_long_the_story_is(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    files = []
    for place in (1, 9, 10, 99, 100, 1000):
        folder.put(f"{place}.png", b"x")
        files.append((place, f"text {1000 - place}", artifact(f"{place}.png")))
    names = opened(list(archive(files, folder))).namelist()
    assert names == sorted(names)
    assert names[0].startswith("0001-")


def test_a_missing_file_is_left_out_and_the_rest_is_whole(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.put("b.png", b"still here")
    files = [(1, "gone", artifact("a.png")), (2, "here", artifact("b.png"))]
    made = opened(list(archive(files, folder)))
    assert made.namelist() == ["02-here.png"]
    assert made.read("02-here.png") == b"still here"


def test_a_link_out_of_the_folder_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = Folder(tmp_path / "artifacts")
    folder.put("b.png", b"x")
    (folder.root / "a.png").symlink_to(tmp_path / "secret")
    files = [(1, "link", artifact("a.png")), (2, "file", artifact("b.png"))]
    assert opened(list(archive(files, folder))).namelist() == ["02-file.png"]


def test_a_large_file_passes_through_in_pieces(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    size = 96 << 20
    with (tmp_path / "big.mp4").open("wb") as file:
        os.ftruncate(file.fileno(), size)
    tracemalloc.start()
    try:
        sizes = [len(chunk) for chunk in archive([(1, "big", artifact("big.mp4"))], folder)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) > size
    assert max(sizes) < 2 * PIECE
    assert peak < 8 * PIECE


def test_two_archives_of_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.put("a.png", b"x")
    files = [(1, "one", artifact("a.png"))]
    assert b"".join(archive(files, folder)) == b"".join(archive(files, folder))


@given(st.text(max_size=200), st.integers(1, 10_000))
def test_no_text_makes_a_name_that_a_system_could_stumble_over(text: str, place: int) -> None:
    name = file_name(place, 2, text, artifact("p/x.png"))
    assert SAFE.fullmatch(name)
    assert len(name) < 100


@pytest.mark.parametrize(
    "title",
    ["../../etc/passwd", "a\r\nSet-Cookie: x=1", "C:\\windows", 'say "hi"', "\x00", "\u202egpj.exe", "日本", ""],
)
def test_no_title_makes_an_archive_name_that_leads_anywhere(title: str) -> None:
    assert SAFE.fullmatch(archive_name(title))
