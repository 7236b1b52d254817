"""As many threads as cores are idle; the user's own number and a machine that does not tell count more."""

import os

import psutil
import pytest
import torch

from kdlib.machine.spare_threads import CHOSEN_BY_USER, PARTS, spare_threads


@pytest.fixture
def free(monkeypatch):
    """Nobody has settled the number of threads."""
    for name in (*CHOSEN_BY_USER, "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def machine(free, monkeypatch):
    """machine(torch's threads, loads of the cores in percent, ...): what the system tells, by part."""

    def of(threads, *parts, ours=None):
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
        told = iter(parts * PARTS if len(parts) == 1 else parts)
        monkeypatch.setattr(psutil, "cpu_percent", lambda seconds, percpu: next(told))
        cores = set(range(len(parts[0]))) if ours is None else ours
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: cores, raising=False)

    return of


@pytest.mark.parametrize(
    ("threads", "loads", "spare"),
    [
        (2, [0, 0], 2),
        (2, [20, 20], 2),  # an editor, a player of music
        (2, [0, 100], 1),
        (2, [100, 100], 1),
        (8, [0] * 8, 8),
        (8, [100, 0, 0, 100, 0, 0, 0, 100], 5),
        (8, [50] * 8, 4),
        (4, [100] * 3 + [0] * 5, 4),  # there is room for all
        (64, [100] * 64, 1),
        (4, [0, 0], 4),  # more than cores, as a caller has set it
        (4, [0, 100], 1),
    ],
)
def test_as_many_as_cores_are_idle(machine, threads, loads, spare):
    machine(threads, loads)
    assert spare_threads() == spare


def test_what_is_over_in_a_moment_does_not_count(machine):
    busy, quiet = [100.0, 100.0], [0.0, 5.0]
    machine(2, *[busy] * (PARTS - 1), quiet)
    assert spare_threads() == 2


def test_cores_that_the_process_may_not_use_do_not_count(machine):
    machine(2, [0, 0, 100, 100], ours={2, 3})
    assert spare_threads() == 1
    machine(2, [0, 0, 100, 100], ours={0, 1})
    assert spare_threads() == 2


def test_where_processes_are_not_bound_to_cores_all_count(machine, monkeypatch):
    machine(4, [100, 100, 0, 0])
    monkeypatch.delattr(os, "sched_getaffinity")
    assert spare_threads() == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OMP_NUM_THREADS", "2"),
        ("OMP_NUM_THREADS", "2,1"),
        ("MKL_NUM_THREADS", "2"),
        ("WORLD_SIZE", "2"),
    ],
)
def test_a_number_that_is_settled_stays(machine, monkeypatch, name, value):
    machine(2, [100, 100])
    monkeypatch.setenv(name, value)
    assert spare_threads() == 2


@pytest.mark.parametrize("value", ["", "abc", "0", "-1"])
def test_what_openmp_does_not_heed_is_no_choice(machine, monkeypatch, value):
    machine(2, [100, 100])
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert spare_threads() == 1


@pytest.mark.parametrize(
    ("ours", "told"),
    [({0, 2, 4, 6}, [0] * 4), ({8, 9, 10, 11}, [0] * 4), ({0, 1}, [])],
    ids=["every other core is off", "a container counts from 0", "nothing told"],
)
def test_what_is_told_of_other_cores_changes_nothing(machine, ours, told):
    machine(4, told, ours=ours)
    assert spare_threads() == 4


@pytest.mark.parametrize("error", [PermissionError, psutil.AccessDenied])
def test_a_system_that_does_not_tell_changes_nothing(machine, monkeypatch, error):
    machine(2, [100, 100])

    def refuse(seconds, percpu):
        raise error

    monkeypatch.setattr(psutil, "cpu_percent", refuse)
    assert spare_threads() == 2


def test_this_machine_tells(free, monkeypatch):
    """With the system's own numbers, whatever it is doing now."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert spare_threads() in (1, 2)
