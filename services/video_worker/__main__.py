"""The video worker: takes jobs from the video queue and runs its generator, one at a time."""

import argparse
import sys

from services.video_worker.settings import VideoWorkerSettings
from shared.contracts.scene import Stage
from shared.generator import Generator, OnLoad, load_generator
from shared.logs import configure_logs
from shared.settings import SettingsError, load
from shared.worker_process import run_worker


def make_generator(settings: VideoWorkerSettings, on_load: OnLoad) -> Generator:
    """The generator that BACKEND names, loaded. Raises `SettingsError`."""
    if settings.backend == "animatic":
        from services.video_worker.animatic import Animatic

        return Animatic()
    if settings.backend == "diffusers":
        from services.video_worker.pipeline import Diffusers

        return Diffusers(settings, on_load)
    return load_generator(settings.backend, settings, on_load)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m services.video_worker",
        description=__doc__,
        epilog="Settings are environment variables: "
        + ", ".join(name.upper() for name in VideoWorkerSettings.model_fields),
    )
    parser.parse_args()
    try:
        settings = load(VideoWorkerSettings)
        configure_logs("video-worker", settings.log_level)
        run_worker(
            Stage.VIDEO,
            settings,
            settings.video_worker_host,
            settings.video_worker_port,
            lambda on_load: make_generator(settings, on_load),
        )
    except SettingsError as error:
        print(f"video-worker: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
