"""A run computes with the threads that it began with, and says so where torch would take others."""

import json

import pytest
import torch
from little_runs import little, run

from kdlib.errors import UserError
from kdlib.jobs import threads
from kdlib.jobs.measure import measure_again
from kdlib.jobs.threads import note_threads, threads_of
from kdlib.training import loop
from kdlib.training.run_folder import prepare_run
from kdlib.training.run_state import read_state

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def machine(monkeypatch):
    """machine(torch's threads, spare): what torch takes, and what the machine can spare (None: do not
    ask). Torch's real number stays: a process whose number was set must not be forked any more."""

    def of(most, spare=None):
        now = [most]
        monkeypatch.setattr(torch, "get_num_threads", lambda: now[0])
        monkeypatch.setattr(torch, "set_num_threads", lambda count: now.__setitem__(0, count))
        monkeypatch.setattr(threads, "spare_threads", lambda: spare or pytest.fail("asked"))

    return of


@pytest.fixture
def begun(tmp_path):
    """begun(threads): the folder of a run that began with them; None: a run of an older version."""

    def with_threads(count):
        folder = tmp_path / "run"
        prepare_run(folder, "run", "", overwrite=False)
        if count is not None:
            note_threads(folder, count)
        return folder

    return with_threads


def used(folder, device=CPU):
    """The threads inside, and that afterwards torch has its own again."""
    before = torch.get_num_threads()
    with threads_of(folder, device):
        inside = torch.get_num_threads()
    assert torch.get_num_threads() == before
    return inside


@pytest.mark.parametrize(("spare", "said"), [(2, ""), (1, "1 of 2: other work keeps")])
def test_a_new_run_takes_what_the_machine_can_spare(machine, capsys, spare, said):
    machine(2, spare)
    assert used(None) == spare
    out, err = capsys.readouterr()
    assert not out and bool(err) == bool(said) and said in err


def test_beside_a_gpu_nobody_asks(machine):
    machine(2)
    assert used(None, GPU) == 2


@pytest.mark.parametrize(
    ("began", "most", "count", "said"),
    [
        (2, 2, 2, ""),
        (1, 2, 1, "1 of 2, with which the run began"),
        (2, 1, 1, "1; the run began with 2, so its last digits can differ"),
    ],
)
def test_a_run_goes_on_with_its_own(machine, begun, capsys, began, most, count, said):
    machine(most)  # nobody asks how busy the machine is now
    assert used(begun(began)) == count
    err = capsys.readouterr().err
    assert bool(err) == bool(said) and said in err


def test_a_run_of_an_older_version_goes_on_with_what_torch_takes(machine, begun):
    machine(2)
    assert used(begun(None)) == 2


@pytest.mark.parametrize(("began", "went_on", "noted"), [(None, 2, 2), (1, 2, 1), (2, 1, 1)])
def test_the_fewest_are_noted(begun, began, went_on, noted):
    folder = begun(began)
    note_threads(folder, went_on)
    assert read_state(folder)["threads"] == noted


def test_torch_has_its_own_threads_again_after_an_error(machine):
    machine(2, 1)
    with pytest.raises(KeyboardInterrupt), threads_of(None, CPU):
        raise KeyboardInterrupt
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("number", [0, -1, 1.5, "2", True, None])
def test_a_state_with_another_kind_of_number_is_damaged(begun, number):
    folder = begun(1)
    path = folder / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"threads": number}))
    with pytest.raises(UserError, match="threads"):
        read_state(folder)


@pytest.mark.slow
def test_from_the_first_step_to_a_second_measurement(workplace, machine, monkeypatch, tmp_path):
    """Stopped and gone on with on a machine that has become quiet, and measured on a smaller one."""
    steps, real = [], loop.take_step

    def take_step(*given):
        steps.append(torch.get_num_threads())
        if len(steps) == 5:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(loop, "take_step", take_step)
    folder, recipe = tmp_path / "new", little("book.txt")
    machine(3, 2)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, folder)
    machine(3)
    assert run(recipe, folder, resume=True)["machine"]["threads"] == 2
    assert len(steps) > 10 and set(steps) == {2}
    machine(1)
    assert measure_again(folder)["machine"]["threads"] == 2, "of the training"
    assert torch.get_num_threads() == 1
