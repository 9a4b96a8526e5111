"""Check what a plain install brought: run with the Python of an environment into which only the wheel was installed.

Asserts that the distributions are those of tests/core-distributions.txt, that there are at most 35 of them, that their
files take at most 400 MB, that torch is not among them, and that the package has every file of its rooms.
"""

import sys
import tomllib
from importlib import metadata
from pathlib import Path

MAX_DISTRIBUTIONS = 35
MAX_BYTES = 400 * 10**6
INSTALLERS = {"pip", "setuptools", "wheel"}
"""Part of a new environment, whatever is installed into it."""


def installed() -> dict[str, int]:
    """Each distribution's normalised name and the bytes of its files."""
    found = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"].lower().replace("_", "-").replace(".", "-")
        if name not in INSTALLERS:
            paths = [Path(str(file.locate())) for file in distribution.files or ()]
            found[name] = sum(path.stat().st_size for path in paths if path.is_file())
    return found


def complaints(found: dict[str, int], expected: set[str]) -> list[str]:
    """What is wrong with the install, one line each."""
    size = sum(found.values())
    lines = [f"not on the list: {name}" for name in sorted(found.keys() - expected)]
    lines += [f"on the list, but not installed: {name}" for name in sorted(expected - found.keys())]
    if len(found) > MAX_DISTRIBUTIONS:
        lines.append(f"{len(found)} distributions, more than {MAX_DISTRIBUTIONS}")
    if size > MAX_BYTES:
        lines.append(f"{size / 10**6:.0f} MB, more than {MAX_BYTES / 10**6:.0f}")
    if "torch" in found:
        lines.append("torch came with the light core")
    return lines


def missing(repository: Path) -> list[str]:
    """Files of the rooms that the installed package lacks, as paths inside the package."""
    settings = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    there = {str(file) for file in metadata.files("blametrace") or ()}
    expected = set()
    for package, folder in settings["package-dir"].items():
        paths = [path.relative_to(repository / folder) for path in (repository / folder).rglob("*") if path.is_file()]
        expected |= {
            f"{package.replace('.', '/')}/{path.as_posix()}" for path in paths if "__pycache__" not in path.parts
        }
    return sorted(expected - there)


def main(repository: Path) -> int:
    """Print the size of the install, or what is wrong with it."""
    found = installed()
    listed = (repository / "tests" / "core-distributions.txt").read_text(encoding="utf-8").split()
    wrong = complaints(found, set(listed)) + [f"not in the wheel: {name}" for name in missing(repository)]
    for line in wrong:
        print(f"install: {line}", file=sys.stderr)
    print(f"install: {len(found)} distributions, {sum(found.values()) / 10**6:.0f} MB")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
