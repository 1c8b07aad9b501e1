"""The first start, in the order in which it can fail: packages, folder, settings, and only then the slow imports."""

from typing import TYPE_CHECKING

from shared.contracts.project import Size
from shared.diffusion import families
from shared.diffusion.families import Family, Shape
from shared.diffusion.packages import check_packages, set_environment
from shared.diffusion.settings import Wanted
from shared.generator import Job, OnLoad
from shared.logs import get_logger
from shared.settings import SettingsError

if TYPE_CHECKING:
    from shared.diffusion.model import Model

log = get_logger(__name__)


def start(wanted: Wanted, on_load: OnLoad) -> "Model":
    """The wanted model, loaded. Raises `SettingsError` that says what is missing and what to do."""
    check_packages()
    set_environment()
    from shared.diffusion.folder import find

    folder = find(wanted)
    check(wanted, folder.family)
    from shared.diffusion.model import Model

    usual = Size()
    return Model(wanted, folder, on_load, shape(wanted, folder.family, usual.width, usual.height, usual.seconds))


def check(wanted: Wanted, family: Family) -> None:
    """What the operator has named exactly is made exactly, or refused. Raises `SettingsError`."""
    if wanted.size and (wrong := families.wrong_size(family, *wanted.size)):
        raise SettingsError("{}={}x{}: ".format(wanted.variable("SIZE"), *wanted.size) + wrong)
    if wanted.frames and (wrong := families.wrong_frames(family, wanted.frames)):
        raise SettingsError(f"{wanted.variable('FRAMES')}={wanted.frames}: {wrong}")
    if wanted.negative_prompt and not family.negative:
        log.warning("setting_without_effect", setting=wanted.variable("NEGATIVE_PROMPT"), family=family.name)
    if wanted.guidance is not None and family.guidance is None:
        log.warning("setting_without_effect", setting=wanted.variable("GUIDANCE"), family=family.name)


def shape(wanted: Wanted, family: Family, width: int, height: int, seconds: float) -> Shape:
    """What is made where this is asked for: as near as the family comes, where no setting says otherwise."""
    return families.shape(family, wanted.size or (width, height), wanted.frames or float(seconds), wanted.fps)


def job_shape(wanted: Wanted, family: Family, job: Job) -> Shape:
    """What is made of a job; where that is not the size it asks for, the log says so."""
    made = shape(wanted, family, job.width, job.height, job.seconds)
    if (made.width, made.height) != (job.width, job.height):
        log.info("size_rounded", asked=f"{job.width}x{job.height}", made=str(made))
    return made
