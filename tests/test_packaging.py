"""What the package promises those who install it: few dependencies, all its files, nothing of the maker's machine."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parent.parent
ROOMS = ("analyses", "collectors", "data", "viz")
CORE = {"typer", "rich", "pydantic", "duckdb", "pyarrow", "numpy", "networkx", "orjson", "jinja2"}
NEED_A_FRAMEWORK = {"tracer.data.demo_langgraph", "tracer.data.demo_ag2"}
"""They made the demo runs, with frameworks that the project does not depend on."""
WHITE_BOX = {
    f"tracer.analyses.{name}"
    for name in (
        "ablation",
        "anchors",
        "bench_anchors",
        "bench_decisive",
        "bench_resampling",
        "blocks",
        "causal",
        "drill_rewriting",
        "erasure",
        "forced_anchors",
        "grouped_attention",
        "hiding",
        "joint",
        "receivers",
        "removal",
        "sentence_attention",
        "step_signals",
        "suppression",
        "suppression_mask",
        "surprisal",
    )
} | {"tracer.lm.rows", "tracer.lm.trunk", "tracer.data.voice_pages"}
"""They read a language model from inside and are made of torch; commands import them only after the model is loaded."""
HEAVY = {"duckdb", "pyarrow", "numpy", "networkx", "jinja2", "torch"}
MACHINE_PATH = re.compile(rb"(?<![\w.:/-])/(?:work|root|home/\w+|Users/\w+)/")
TEMPORARY_PATH = re.compile(rb"(?<![\w.:/-])/tmp/")
MAX_BYTES = 10**6
WEIGHTS = Path("data/pocket/model.safetensors")
"""The one file that may be larger: the pocket model, up to 4 MB."""


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def tracked() -> list[Path]:
    """Files of the repository, links left out."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: no list of the repository's files")
    paths = [REPOSITORY / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def package_files(folder: str) -> Iterator[Path]:
    """Files of a package's folder that no sub-package owns; caches and links left out."""
    for where, names, files in os.walk(REPOSITORY / folder):
        names[:] = [
            name
            for name in names
            if name != "__pycache__"
            and not (Path(where) / name).is_symlink()
            and not (Path(where) / name / "__init__.py").exists()
        ]
        yield from (Path(where) / file for file in files)


def folder_of(package: str, project: dict[str, Any]) -> str:
    """The folder in which a package's files stand."""
    folders: dict[str, str] = project["tool"]["setuptools"]["package-dir"]
    return folders.get(package) or package.replace(".", "/")


def test_the_light_core_depends_on_a_short_list(project: dict[str, Any]) -> None:
    """A new direct dependency is a decision: it is written down here, and there are at most twelve."""
    names = {re.split(r"[^\w-]", each)[0].lower() for each in project["project"]["dependencies"]}
    assert names == CORE
    assert len(names) <= 12


def test_constraints_pin_every_dependency_exactly(project: dict[str, Any]) -> None:
    """What CI installs is what the next person installs."""
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    pinned = {line.split("==")[0].lower() for line in pins}
    groups = [each for group in ("tests", "lint") for each in project["dependency-groups"][group]]
    wanted = {re.split(r"[^\w-]", each)[0].lower() for each in groups} | CORE
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+", line) for line in pins)
    assert wanted <= pinned


def test_every_folder_with_code_is_a_declared_package(project: dict[str, Any]) -> None:
    """setuptools is given a list, so a folder that nobody adds to it would be missing from the wheel."""
    packages = {
        ".".join(Path(where).relative_to(REPOSITORY).parts)
        for where, _, files in os.walk(REPOSITORY / "tracer", followlinks=True)
        if "__init__.py" in files
    }
    assert packages == set(project["tool"]["setuptools"]["packages"])


def test_every_data_file_is_covered_by_package_data(project: dict[str, Any]) -> None:
    """A template or a weight file that no pattern covers would be missing from the wheel."""
    patterns: dict[str, list[str]] = project["tool"]["setuptools"]["package-data"]
    for package in project["tool"]["setuptools"]["packages"]:
        folder = folder_of(package, project)
        covered = {path for pattern in patterns.get(package, []) for path in (REPOSITORY / folder).glob(pattern)}
        data = {path for path in package_files(folder) if path.suffix not in {".py", ".pyc"}}
        assert data <= covered, package


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_linked_into_the_package(room: str) -> None:
    """A checkout and an installed wheel show the same names."""
    link = REPOSITORY / "tracer" / room
    assert link.is_symlink()
    assert link.readlink() == Path("..") / room
    assert (link / "__init__.py").is_file()


def test_no_file_names_a_path_of_the_machine_it_was_made_on() -> None:
    """Temporary folders may be named by tests that write there; nothing else of a machine belongs in the repository."""
    for path in tracked():
        content = path.read_bytes()
        assert not MACHINE_PATH.search(content), path.relative_to(REPOSITORY)
        if path.relative_to(REPOSITORY).parts[0] != "tests":
            assert not TEMPORARY_PATH.search(content), path.relative_to(REPOSITORY)


def test_no_file_is_bigger_than_one_megabyte() -> None:
    """A clone stays quick."""
    large = {path.relative_to(REPOSITORY): path.stat().st_size for path in tracked() if path.stat().st_size > MAX_BYTES}
    assert set(large) <= {WEIGHTS}
    assert large.get(WEIGHTS, 0) <= 4 * MAX_BYTES


def loaded_by(code: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter holds after running the code."""
    script = f"import sys\n{code}\nprint('loaded', *{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_every_module_imports_without_torch() -> None:
    """torch is an extra: no module may need it but the ones that read a model from inside, which say so."""
    code = f"""
import importlib, pkgutil, tracer
for module in pkgutil.walk_packages(tracer.__path__, "tracer."):
    if module.name not in {NEED_A_FRAMEWORK | WHITE_BOX} and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
    loaded = loaded_by(code)
    assert {"tracer", "duckdb"} <= loaded
    assert "torch" not in loaded


def test_the_help_text_loads_nothing_heavy() -> None:
    """`tracer --help` answers at once, because no command's libraries are loaded before it runs."""
    code = "from tracer.cli import main\nassert main(['--help']) == 0"
    assert loaded_by(code) & HEAVY == set()
