"""How `pytest --nbval` runs the chapters: as the builder does, and never waiting for ever."""

from pathlib import Path

import matplotlib.font_manager  # noqa: F401  the first to look for fonts is told so on stderr
import pytest
from build import ENVIRONMENT, START
from contents import LONGER

HERE = Path(__file__).parent
OFFLINE = HERE.parent / "tests" / "offline"


def pytest_configure(config):
    config.option.nbval_sanitize_with = str(HERE / "sanitize.cfg")
    config.option.nbval_current_env = True
    config.option.nbval_kernel_startup_timeout = START
    config.option.nbval_cell_timeout = max(LONGER.values())


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.suffix == ".ipynb":
            item.output_timeout = 60  # seconds; nbval's own 5 are not enough for a busy machine


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """The first cell of a notebook starts its kernel here."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", str(OFFLINE))
        return (yield)
