import pytest
from accelerate import Accelerator
from bigram_runs import make_blocks

from kdlib.training.phase import Phase


@pytest.fixture(scope="session")
def accelerator():
    return Accelerator(cpu=True)


@pytest.fixture
def blocks():
    return make_blocks()


@pytest.fixture
def phase(tmp_path):
    return Phase("student", tmp_path, "run1", seed=0)
