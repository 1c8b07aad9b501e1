"""What is refused before anything is loaded, each with its own reason."""

import json
import shutil
from pathlib import Path

import pytest

from shared.contracts.scene import Stage
from shared.diffusion.folder import lora_file
from shared.diffusion.packages import check_packages
from shared.diffusion.settings import Wanted
from shared.diffusion.start import start
from shared.settings import SettingsError
from tests.diffusion.conftest import Shelf
from tests.diffusion.loaded import load, make, wanted
from tests.fixtures import tiny_models


@pytest.fixture
def model(shelf: Shelf, tmp_path: Path) -> Path:
    """A Z-Image of the test's own, to break."""
    return Path(shutil.copytree(shelf["z-image"], tmp_path / "z-image"))


def refusal(model: Path | str, stage: Stage = Stage.IMAGE, **settings: object) -> str:
    with pytest.raises(SettingsError) as raised:
        start(wanted(Path(model), stage, model=str(model), **settings), lambda done, total, part: None)
    return str(raised.value)


def change_index(model: Path, **changes: object) -> None:
    index = model / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), **changes}))


def test_a_repository_that_was_never_downloaded_is_named() -> None:
    said = refusal("nobody/no-such-model", revision="abc123")
    assert said == (
        "IMAGE_MODEL=nobody/no-such-model at abc123 is not on this machine: "
        "run `make models` to download it, or name a folder"
    )


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "just-a-word", "a/b/c"])
def test_a_folder_that_does_not_exist_is_named(name: str) -> None:
    assert f"IMAGE_MODEL={name}: there is no such folder" in refusal(name)


def test_a_folder_without_a_diffusers_index_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert "is not a diffusers model" in refusal(tmp_path)


def test_an_index_that_cannot_be_read_is_damage(model: Path) -> None:
    (model / "model_index.json").write_text("{")
    assert "is damaged: model_index.json cannot be read" in refusal(model)


def test_a_family_that_is_not_supported_is_told_with_those_that_are(model: Path) -> None:
    change_index(model, _class_name="KandinskyPipeline")
    said = refusal(model)
    assert "is a KandinskyPipeline, which is not supported; supported are Z-Image, FLUX.2 klein, SDXL" in said
    assert "Wan" not in said


def test_a_model_of_the_other_stage_is_told_where_it_belongs(shelf: Shelf) -> None:
    assert "is Wan 2.2 5B, which makes videos: set VIDEO_MODEL" in refusal(shelf["wan-5b"])
    assert "is Z-Image, which makes images: set IMAGE_MODEL" in refusal(shelf["z-image"], Stage.VIDEO)


@pytest.mark.parametrize("ending", [".bin", ".pt", ".ckpt"])
def test_pickled_weights_are_never_opened(model: Path, ending: str) -> None:
    weights = model / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(ending))
    assert f"its transformer as diffusion_pytorch_model{ending}, which can run code" in refusal(model)


def test_a_pickle_beside_safetensors_is_ignored(model: Path) -> None:
    (model / "transformer" / "diffusion_pytorch_model.bin").write_bytes(b"not even a pickle")
    assert make(load(model, Stage.IMAGE)).shape == (1, 64, 96, 3)


@pytest.mark.parametrize(
    "changes", [{"_class_name": ["my_pipeline", "Mine"]}, {"transformer": ["my_transformer", "Mine"]}]
)
def test_code_of_a_repository_is_never_run(model: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    for name in ("my_pipeline.py", "my_transformer.py", "transformer/my_transformer.py"):
        (model / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Mine: pass\n")
    change_index(model, **changes)
    assert "wants to run Python code of its own" in refusal(model)
    assert not (tmp_path / "ran").exists()


def test_missing_weights_are_named_with_their_part(model: Path) -> None:
    (model / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    assert "is incomplete: the weights of vae are missing; run `make models` again" in refusal(model)


def test_a_missing_part_is_named(model: Path) -> None:
    shutil.rmtree(model / "text_encoder")
    assert "is incomplete: its part text_encoder is missing" in refusal(model)


def test_weights_that_are_cut_off_are_named_with_their_file(model: Path) -> None:
    weights = model / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "is damaged: transformer/diffusion_pytorch_model.safetensors is missing or cut off" in refusal(model)


def test_a_shard_that_is_missing_is_named(model: Path) -> None:
    weights = model / "transformer" / "diffusion_pytorch_model.safetensors"
    shards = {"weight_map": {"a": "part-1-of-2.safetensors", "b": "part-2-of-2.safetensors"}}
    weights.rename(weights.with_name("part-1-of-2.safetensors"))
    weights.with_name("diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(shards))
    assert "transformer/part-2-of-2.safetensors is missing or cut off" in refusal(model)


def test_weights_that_lack_a_tensor_do_not_become_random_numbers(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = model / "text_encoder" / "model.safetensors"
    tensors = load_file(weights)
    del tensors["layers.0.mlp.up_proj.weight"]
    save_file(tensors, weights, {"format": "pt"})
    assert "text_encoder lacks 1 of its weights" in refusal(model)


def test_weights_of_another_shape_are_told(model: Path) -> None:
    config = model / "transformer" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "dim": 64}))
    assert "cannot be loaded" in refusal(model)


def test_a_wan_that_is_published_as_text_to_video_starts_from_an_image(shelf: Shelf, tmp_path: Path) -> None:
    path = Path(shutil.copytree(shelf["wan-5b"], tmp_path / "wan"))
    tiny_models.publish_as(path, "WanPipeline")
    model = load(path, Stage.VIDEO)
    assert type(model.pipeline).__name__ == "WanImageToVideoPipeline"
    assert make(model).shape == (5, 64, 96, 3)


def test_a_size_that_is_named_must_be_possible(shelf: Shelf) -> None:
    assert "VIDEO_SIZE=100x100: Wan 2.2 5B makes sides" in refusal(shelf["wan-5b"], Stage.VIDEO, size=(100, 100))


def test_a_number_of_frames_that_is_named_must_be_possible(shelf: Shelf) -> None:
    said = refusal(shelf["wan-5b"], Stage.VIDEO, frames=50)
    assert "VIDEO_FRAMES=50: Wan 2.2 5B makes a multiple of 4 frames plus one: the nearest number is 49" in said


def test_packages_that_are_missing_are_named() -> None:
    with pytest.raises(SettingsError, match=r"not installed \(no_such_package\): run `scripts/setup diffusers`"):
        check_packages(("torch", "no_such_package"))


def test_a_machine_without_a_gpu_says_so(shelf: Shelf) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    said = refusal(shelf["z-image"], device="auto")
    assert "BACKEND=diffusers needs a GPU" in said and "DEVICE=cpu" in said and "BACKEND=animatic" in said


def test_a_lora_changes_the_picture_by_its_scale(shelf: Shelf, tmp_path: Path) -> None:
    path = tiny_models.build_lora(tmp_path / "lora")
    plain = make(load(shelf["z-image"], Stage.IMAGE))
    with_it = make(load(shelf["z-image"], Stage.IMAGE, lora=str(path)))
    at_zero = make(load(shelf["z-image"], Stage.IMAGE, lora=f"{path}:style.safetensors", lora_scale=0.0))
    assert (with_it != plain).any()
    assert (at_zero == plain).all()


def test_a_lora_for_another_model_is_told(shelf: Shelf, tmp_path: Path) -> None:
    path = tiny_models.build_lora(tmp_path / "lora")
    said = refusal(shelf["sdxl"], lora=str(path))
    assert f"IMAGE_LORA={path} does not fit" in said


def test_a_lora_must_be_one_safetensors_file(tmp_path: Path) -> None:
    def asked(name: str) -> Wanted:
        return Wanted(Stage.IMAGE, "a/b", lora=name)

    (tmp_path / "pytorch_lora_weights.bin").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"holds no such \.safetensors file"):
        lora_file(asked(str(tmp_path)))
    (tmp_path / "one.safetensors").write_bytes(b"")
    (tmp_path / "two.safetensors").write_bytes(b"")
    with pytest.raises(SettingsError, match="holds several: name one as"):
        lora_file(asked(str(tmp_path)))
    assert lora_file(asked(f"{tmp_path}:two.safetensors")).name == "two.safetensors"
    with pytest.raises(SettingsError, match="IMAGE_LORA=nobody/nothing is not on this machine"):
        lora_file(asked("nobody/nothing"))
