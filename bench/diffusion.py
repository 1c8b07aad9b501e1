"""What our generators add to diffusers, and the work between the last step and the stored file.

On the processor, with tiny models: the share that we add is to a step of milliseconds, and less where steps are longer.
Plain loop and ours take turns in one process over the same jobs, each prompt a new one, so that no cache helps.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.figures import Figure, quantile
from bench.servers import Servers
from shared.artifacts import Folder
from shared.contracts.scene import Stage
from shared.diffusion import families, frames, loading
from shared.diffusion.families import Shape
from shared.diffusion.folder import find
from shared.diffusion.model import Model, Request
from shared.diffusion.settings import Wanted
from shared.generator import Rendered
from tests.fixtures import tiny_models

#: The larger one is still a quarter of what is asked for in earnest; the smaller one shows what we add at its worst.
IMAGES = {"diffusers_overhead": Shape(512, 512), "diffusers_overhead_tiny": Shape(256, 256)}
STEPS = 8
STILL, CLIP = (1, 3, 1024, 1024), (1, 81, 3, 480, 832)  #: batch, (frames,) colours, rows, columns


def measure(servers: Servers, *, quick: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(dir=servers.folder) as name:
        folder = Path(name)
        for key, image in IMAGES.items():
            yield _overhead(key, image, folder / key, 2 if quick else 40)
        artifacts = Folder(folder / "artifacts")
        yield _tail(
            "image_tail_ms", STILL, lambda shots: frames.picture(shots[0], "webp"), artifacts, 2 if quick else 15
        )
        yield _tail("video_tail_ms", CLIP, lambda shots: frames.clip(shots, 16), artifacts, 1 if quick else 5)


def _overhead(key: str, image: Shape, folder: Path, jobs: int) -> Figure:
    """Time of our run over that of a call of the same pipeline, medians of pairs of the same job."""
    wanted = Wanted(Stage.IMAGE, str(tiny_models.build("z-image", folder)), device="cpu", steps=STEPS, preview_every=2)
    found = find(wanted)
    model = Model(wanted, found, lambda done, total, part: None, image)
    plain = loading.load(found, wanted, {"default": torch.float32}, lambda done, total, part: None)
    arguments = families.arguments(found.family, image, STEPS, 0.0)

    def theirs(prompt: str, seed: int) -> frames.Pixels:
        chance = torch.Generator("cpu").manual_seed(seed)
        return frames.pixels(plain(prompt=prompt, generator=chance, **arguments).images)

    def ours(prompt: str, seed: int) -> frames.Pixels:
        return model.make(Request(prompt, seed, image), lambda fraction: None, lambda: False, lambda data: None)

    for number in range(2):
        assert (theirs("warm-up", number) == ours("warm-up", number)).all()
    took: dict[Any, list[float]] = {theirs: [], ours: []}
    for number in range(jobs):
        for make in (theirs, ours) if number % 2 else (ours, theirs):
            took[make].append(_seconds(partial(make, f"scene {number}", number)))
    ratios = [mine / other for mine, other in zip(took[ours], took[theirs], strict=True)]
    detail = {
        "ours_ms_p50": round(quantile(took[ours], 0.5) * 1000, 2),
        "plain_ms_p50": round(quantile(took[theirs], 0.5) * 1000, 2),
    }
    return Figure(key, quantile(ratios, 0.5), "x plain", ratios, detail)


def _tail(
    key: str, shape: tuple[int, ...], encode: Callable[[frames.Pixels], Rendered], artifacts: Folder, rounds: int
) -> Figure:
    made = _photograph(shape)
    parts: dict[str, list[float]] = {"check": [], "copy": [], "encode": [], "store": []}
    totals = []
    encode(frames.pixels(made))
    for number in range(rounds):
        marks = [time.perf_counter()]
        assert not frames.blank(made)
        marks.append(time.perf_counter())
        shots = frames.pixels(made)
        marks.append(time.perf_counter())
        rendered = encode(shots)
        marks.append(time.perf_counter())
        artifacts.put(f"bench/{key}-{number}", rendered.data)
        marks.append(time.perf_counter())
        for part, start, end in zip(parts, marks, marks[1:], strict=False):
            parts[part].append((end - start) * 1000)
        totals.append((marks[-1] - marks[0]) * 1000)
    detail: dict[str, Any] = {f"{part}_p50": round(quantile(taken, 0.5), 2) for part, taken in parts.items()}
    return Figure(key, quantile(totals, 0.5), "ms", totals, detail | {"bytes": len(rendered.data)})


def _photograph(shape: tuple[int, ...]) -> Any:
    """Soft light with grain that moves from frame to frame: as hard to compress as a picture is."""
    rows, columns = shape[-2:]
    chance = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.linspace(0, 9, rows), torch.linspace(0, 16, columns), indexing="ij")
    colours = torch.stack([torch.sin(x * (1 + 0.3 * part) + y) * torch.cos(y - part) for part in range(3)])
    scene = (0.5 + 0.35 * colours).expand(shape).clone()
    grain = torch.randn((*shape[-3:],), generator=chance) * (4 / 255)
    flat = scene.reshape(-1, *shape[-3:])
    for number in range(flat.shape[0]):
        flat[number] += grain.roll((3 * number, 5 * number), (1, 2)) * (1.0 if flat.shape[0] == 1 else 0.25)
    return scene.clamp_(0, 1)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
