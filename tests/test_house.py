"""The plan of the house: imports point downwards, and the ground floor needs torch alone."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_imports_point_downwards():
    """The layers stand in pyproject.toml under [tool.importlinter]."""
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_has_its_floor():
    import tomllib

    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c for c in contract["contracts"] if c["type"] == "layers")["layers"]
    named = {name.strip() for layer in layers for name in layer.replace(":", "|").split("|")}
    present = {
        f"kdlib.{path.stem}"
        for path in (ROOT / "kdlib").iterdir()
        if (path.suffix == ".py" and not path.stem.startswith("__"))
        or (path / "__init__.py").exists()
    }
    assert named == present


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
