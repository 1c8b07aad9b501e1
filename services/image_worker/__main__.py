"""The image worker: takes jobs from the image queue and runs its generator, one at a time."""

import argparse
import sys

from services.image_worker.settings import ImageWorkerSettings
from shared.contracts.scene import Stage
from shared.generator import Generator, OnLoad, load_generator
from shared.logs import configure_logs
from shared.settings import SettingsError, load
from shared.worker_process import run_worker


def make_generator(settings: ImageWorkerSettings, on_load: OnLoad) -> Generator:
    """The generator that BACKEND names, loaded. Raises `SettingsError`."""
    if settings.backend == "animatic":
        from services.image_worker.animatic import Animatic

        return Animatic()
    if settings.backend == "diffusers":
        from services.image_worker.pipeline import Diffusers

        return Diffusers(settings, on_load)
    return load_generator(settings.backend, settings, on_load)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m services.image_worker",
        description=__doc__,
        epilog="Settings are environment variables: "
        + ", ".join(name.upper() for name in ImageWorkerSettings.model_fields),
    )
    parser.parse_args()
    try:
        settings = load(ImageWorkerSettings)
        configure_logs("image-worker", settings.log_level)
        run_worker(
            Stage.IMAGE,
            settings,
            settings.image_worker_host,
            settings.image_worker_port,
            lambda on_load: make_generator(settings, on_load),
        )
    except SettingsError as error:
        print(f"image-worker: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
