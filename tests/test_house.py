"""The plan of the house: rooms, imports that point downwards, and a README that draws it truly."""

import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_imports_point_downwards():
    """The layers stand in pyproject.toml under [tool.importlinter]."""
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def names_in_the_package():
    """Rooms, and modules that stand outside any."""
    return {
        path.stem
        for path in (ROOT / "kdlib").iterdir()
        if (path.suffix == ".py" and not path.stem.startswith("__"))
        or (path / "__init__.py").exists()
    }


def test_every_room_has_its_layer():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c for c in contracts["contracts"] if c["type"] == "layers")["layers"]
    named = {name.strip().removeprefix("kdlib.") for layer in layers for name in layer.split("|")}
    assert named == names_in_the_package()


def test_the_readme_draws_every_room():
    tree = re.search(r"```\nkdlib/\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)[
        1
    ]
    drawn = re.findall(r"^  (\w+)(?:/|\.py) ", tree, re.MULTILINE)
    assert sorted(drawn) == sorted(names_in_the_package())


def test_the_tests_have_the_same_rooms():
    rooms = {path.parent.name for path in (ROOT / "kdlib").glob("*/__init__.py")}
    tested = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert rooms <= tested


def test_no_two_test_files_have_one_name():
    """pytest imports a test file by its name alone, and refuses the second."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []


def test_every_room_says_its_question():
    for path in (ROOT / "kdlib").glob("**/__init__.py"):
        assert path.read_text("utf-8").startswith('"""'), path


def test_no_path_or_address_of_the_makers_machine_is_committed():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        path = ROOT / name
        if path.suffix in (".safetensors", ".ipynb", ".png") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        for forbidden in ("/" + "work/", "index-" + "url", "." + "whl"):
            assert forbidden not in text, f"{forbidden} in {name}"
