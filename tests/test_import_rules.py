"""The borders between the rooms."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
ROOMS = {"analyses", "collectors", "data", "viz"}


def lint_imports(config: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter over the package with a configuration."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", str(config), "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def test_no_room_imports_another_and_only_the_roof_imports_them() -> None:
    """The contracts in pyproject.toml hold."""
    done = lint_imports(REPOSITORY / "pyproject.toml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_would_notice_a_room_below_the_ground(tmp_path: Path) -> None:
    """A contract that forbids what we do is broken, so a kept one means something."""
    config = tmp_path / "rules.toml"
    config.write_text(
        '[tool.importlinter]\nroot_package = "tracer"\n[[tool.importlinter.contracts]]\nname = "upside down"\n'
        'type = "layers"\nlayers = ["tracer.records", "tracer.store"]\n',
        encoding="utf-8",
    )
    done = lint_imports(config)
    assert done.returncode == 1
    assert "tracer.store -> tracer.records" in done.stdout


def test_every_room_is_a_link_in_the_package_and_named_in_the_contract() -> None:
    """The rooms stand at the top of the repository and are seen as tracer.ROOM."""
    rules = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    named = " ".join(rules["contracts"][0]["layers"])
    for room in ROOMS:
        assert (REPOSITORY / "tracer" / room).resolve() == REPOSITORY / room
        assert f"tracer.{room}" in named
