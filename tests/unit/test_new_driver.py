"""What `countertop new-driver` writes, as text: names, no trace of the invented maker, code that is clean."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from countertop.testing.new_driver import KINDS, Names, check_name, write_project

NAMES = ("blue-box", "zeta", "a1")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=NAMES)
def project(request: pytest.FixtureRequest, kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp(kind)
    write_project(Names(request.param), kind, into)
    return into / str(request.param)


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "small letters"),
        ("Blue", "small letters"),
        ("1blue", "small letters"),
        ("blue_box", "small letters"),
        ("blue-", "small letters"),
        ("blue--box", "small letters"),
        ("blåbox", "small letters"),
        ("b" * 41, "small letters"),
        ("../blue", "small letters"),
        ("class", "word of Python"),
        ("none", "word of Python"),
        ("topaz", "installed already"),
        ("json", "imported already"),
        ("countertop", "imported already"),
    ],
)
def test_a_name_that_would_not_do_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_name(name, {"topaz"})


def test_a_name_has_three_forms() -> None:
    names = check_name("blue-box-2", set())
    assert (names.name, names.module, names.words) == ("blue-box-2", "blue_box_2", "BlueBox2")


@given(st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True))
def test_every_good_name_makes_identifiers(name: str) -> None:
    names = Names(name)
    assert names.module.isidentifier()
    assert names.words.isidentifier()
    assert names.in_text('from acme.driver import AcmePad\nname = "acme"\n', python=True) == (
        f'from {names.module}.driver import {names.words}Pad\nname = "{name}"\n'
    )


def test_the_module_and_the_driver_are_told_apart_in_pages() -> None:
    text = 'acme = "acme.plugin"; packages = ["src/acme"]; pip install ./acme; `src/acme/driver.py`. An end: acme.'
    told = 'b-b = "b_b.plugin"; packages = ["src/b_b"]; pip install ./b-b; `src/b_b/driver.py`. An end: b-b.'
    assert Names("b-b").in_text(text, python=False) == told


# --- projects --------------------------------------------------------------------------------------------------------


def test_nothing_is_left_of_the_invented_maker_and_no_mark_is_unfilled(project: Path) -> None:
    for path in project.rglob("*"):
        assert "acme" not in path.name.lower()
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert "acme" not in text.lower(), path
            assert not re.search(r"@[a-z]+@", text), path


def test_every_module_compiles_and_has_a_docstring(project: Path) -> None:
    modules = list(project.rglob("*.py"))
    assert len(modules) > 12
    for path in modules:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"), str(path))), path


def test_the_project_names_what_it_is(project: Path, kind: str) -> None:
    data = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    module = Names(project.name).module
    assert data["project"]["name"] == project.name
    assert data["project"]["entry-points"]["countertop.plugins"] == {project.name: f"{module}.plugin"}
    assert (project / data["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"][0] / "plugin.py").is_file()
    (dependency,) = data["project"]["dependencies"]
    extra = KINDS[kind].extra
    assert re.fullmatch(r"countertop(\[[a-z]+\])?>=[0-9.]+", dependency)
    assert (f"[{extra}]" in dependency) == bool(extra)


def test_driver_and_emulator_share_no_code(project: Path) -> None:
    module = Names(project.name).module
    for path in (project / "src" / module).rglob("*.py"):
        if path.name == "plugin.py":
            continue
        imported = "\n".join(re.findall(r"^ *(?:from|import) .*", path.read_text(encoding="utf-8"), re.MULTILINE))
        if path.parent.name == "emulator":
            assert not re.search(rf"{module}\.(?!emulator)|countertop\.(sdk|server|client|drivers)", imported), path
        else:
            assert not re.search(rf"{module}\.emulator|countertop\.(emulators|server|client)", imported), path


def test_its_code_is_clean_by_our_own_rules(project: Path) -> None:
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    chosen = [f"--select={','.join(rules['select'])}", f"--ignore={','.join(rules['ignore'])}"]
    places = [f"--per-file-ignores=**/tests/*:{code}" for code in rules["per-file-ignores"]["tests/**"]]
    done = subprocess.run(
        [ruff, "check", "--no-cache", *chosen, *places, str(project)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_a_folder_that_is_there_is_left_as_it_is(kind: str, tmp_path: Path) -> None:
    (tmp_path / "blue-box").mkdir()
    with pytest.raises(FileExistsError):
        write_project(Names("blue-box"), kind, tmp_path)
    assert list((tmp_path / "blue-box").iterdir()) == []


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_tells_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["new-driver", "blue-box", "--kind", "camera", "--into", str(tmp_path)]
    assert main(words) == EXIT_OK
    told = capsys.readouterr().out
    assert f"pip install -e {tmp_path}/blue-box\n" in told
    assert f"pytest {tmp_path}/blue-box\n" in told
    assert "countertop conformance --driver blue-box\n" in told
    assert main(words) == EXIT_FAILED
    assert "--into" in capsys.readouterr().err


def test_a_bad_name_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("Blue", "escpos"):
        assert main(["new-driver", name, "--kind", "camera", "--into", str(tmp_path)]) == EXIT_USAGE
        assert name in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
