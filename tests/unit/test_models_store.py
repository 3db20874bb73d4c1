"""Models as data: the manifest, where files are looked for, and what is never loaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.analysis.manifest import Manifest, package_manifest, parse
from countertop.analysis.models import PACKAGE_FOLDER, ModelState, ModelStore, model_info
from countertop.cli import main
from countertop.sdk.errors import CountertopError
from countertop.v1 import error_pb2

MANIFEST = package_manifest()
TEXT = (PACKAGE_FOLDER.parent / "models.toml").read_text(encoding="utf-8")
CONTENT = b"weights of a model that is made up"


def made_up() -> Manifest:
    """The package's manifest, but the first detector's file is CONTENT."""
    first = replace(MANIFEST.models[0], bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    return Manifest((first, *MANIFEST.models[1:]), MANIFEST.fusion)


def store(*folders: Path) -> ModelStore:
    """Option folder, system folder, package folder."""
    option, system, package = folders
    return ModelStore(option, system=system, package=package, manifest=made_up())


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    made = tuple(tmp_path / name for name in ("option", "system", "package"))
    for folder in made:
        folder.mkdir()
    return made[0], made[1], made[2]


def test_models_in_the_package_are_what_the_manifest_says() -> None:
    packaged = ModelStore(system=Path("/nowhere"))
    found = {one.spec.name for one in map(packaged.locate, MANIFEST.models) if one.state is ModelState.FOUND}
    assert found == {"mediapipe-short-range", "dlib-resnet29"}
    licences = (PACKAGE_FOLDER / "LICENSES").read_text(encoding="utf-8")
    for spec in MANIFEST.models:
        if spec.name in found:
            assert spec.sha256 in licences
            assert spec.file in licences


def test_every_model_tells_its_licence_and_where_it_came_from() -> None:
    for spec in MANIFEST.models:
        info = model_info(spec)
        assert len(info.sha256) == 32
        assert spec.licence in info.licence
        assert spec.source in info.licence


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_model_is_found_in_each_folder(folders: tuple[Path, Path, Path], place: int) -> None:
    spec = made_up().models[0]
    (folders[place] / spec.file).write_bytes(CONTENT)
    located = store(*folders).locate(spec)
    assert (located.state, located.path) == (ModelState.FOUND, folders[place] / spec.file)


def test_the_option_folder_comes_first(folders: tuple[Path, Path, Path]) -> None:
    spec = made_up().models[0]
    for folder in folders:
        (folder / spec.file).write_bytes(CONTENT)
    assert store(*folders).locate(spec).path == folders[0] / spec.file


def test_a_damaged_file_does_not_hide_a_whole_one(folders: tuple[Path, Path, Path]) -> None:
    spec = made_up().models[0]
    (folders[0] / spec.file).write_bytes(CONTENT[::-1])
    (folders[1] / spec.file).write_bytes(CONTENT)
    assert store(*folders).locate(spec).path == folders[1] / spec.file
    assert store(*folders).read(spec) == CONTENT


@given(st.binary(max_size=80).filter(lambda data: data != CONTENT))
def test_other_bytes_are_never_loaded(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("models")
    spec = made_up().models[0]
    (folder / spec.file).write_bytes(data)
    there = store(folder, Path("/nowhere"), Path("/nowhere"))
    located = there.locate(spec)
    assert located.state is ModelState.DAMAGED
    assert ("bytes" in located.problem) == (len(data) != len(CONTENT))
    with pytest.raises(CountertopError, match="damaged") as caught:
        there.read(spec)
    assert caught.value.reason == error_pb2.REASON_NOT_CONFIGURED


def test_a_file_is_recognised_by_its_digest_and_gets_its_own_name(tmp_path: Path) -> None:
    spec = made_up().models[0]
    given_file = tmp_path / "download(1).bin"
    given_file.write_bytes(CONTENT)
    into = tmp_path / "new" / "folder"
    there = store(into, Path("/nowhere"), Path("/nowhere"))
    assert there.locate(spec).state is ModelState.MISSING
    assert there.add(given_file, into) == spec
    assert there.add(given_file, into) == spec  # again does no harm
    assert there.locate(spec).state is ModelState.FOUND
    assert [path.name for path in into.iterdir()] == [spec.file]


def test_a_file_that_is_no_model_is_not_copied(tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.onnx"
    stranger.write_bytes(b"something else")
    damaged = tmp_path / MANIFEST.models[0].file
    damaged.write_bytes(b"cut off")
    into = tmp_path / "into"
    with pytest.raises(ValueError, match="none of the known models"):
        ModelStore().add(stranger, into)
    with pytest.raises(ValueError, match="expected 232589 bytes, got 7"):
        ModelStore().add(damaged, into)
    assert not into.exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('role = "liveness"', 'role = "magic"', "role is one of"),
        ('format = "tflite"', 'format = "pickle"', "format is one of"),
        ('color = "RGB"', 'color = "CMYK"', "color is one of"),
        ('name = "minifasnet-v1se"', 'name = "minifasnet-v2"', "two models have the same name"),
        ("confirm = 0.80", "confirm = 0.30", "deny < confirm"),
        ('file = "dlib', 'file = "../dlib', "no folder"),
        ("bytes = 229032", "size = 229032", "mediapipe-short-range"),
        ('models = ["minifasnet-v2"', 'models = ["dlib-resnet29"', "no model of liveness"),
    ],
)
def test_a_mistake_in_the_manifest_is_named(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(ValueError, match=said):
        parse(TEXT.replace(old, new))


def test_the_manifest_names_no_host() -> None:
    assert "://" not in TEXT
    assert "www." not in TEXT


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_lists_models_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / MANIFEST.models[0].file).write_bytes(b"cut off")
    assert main(["models", "list", "--dir", str(tmp_path), "--json"]) == 0
    rows = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert set(rows) == {spec.name for spec in MANIFEST.models}
    assert rows["yunet-2023mar"]["state"] == "damaged"
    assert rows["yunet-2023mar"]["problem"] == "expected 232589 bytes, got 7"
    assert rows["dlib-resnet29"]["state"] == "found"


def test_verify_fails_where_liveness_cannot_be_judged(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / MANIFEST.models[0].file).write_bytes(b"cut off")
    assert main(["models", "verify", "--dir", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "is not yunet-2023mar: expected 232589 bytes, got 7" in told
    assert "countertop models add FILE" in told


def test_add_copies_a_model_and_refuses_anything_else(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = PACKAGE_FOLDER / "face_detection_short_range.tflite"
    copy = tmp_path / "copy"
    copy.write_bytes(source.read_bytes())
    into = tmp_path / "into"
    assert main(["models", "add", str(copy), "--dir", str(into)]) == 0
    assert (into / source.name).read_bytes() == source.read_bytes()
    copy.write_bytes(b"something else")
    assert main(["models", "add", str(copy), "--dir", str(into)]) == 1
    assert "none of the known models" in capsys.readouterr().err
