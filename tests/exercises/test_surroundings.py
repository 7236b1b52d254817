"""A verdict depends on the answer alone, and an answer changes nothing for anybody else."""

import builtins
import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kdlib.exercises import exercise, exercises
from kdlib.exercises.judging.surroundings import SHARED, while_imported
from kdlib.exercises.kinds.functions import CodeExercise

CODE = [e for e in exercises().values() if isinstance(e, CodeExercise)]
SOFTEN = exercise("soften")
RIGHT = SOFTEN.reference


def unlike(logits, temperature):
    return torch.zeros_like(logits)


# ---------------------------------------------------------------- what the reader has set


@pytest.fixture(params=["float64", "bfloat16", "no gradients", "inference", "device", "strict"])
def surroundings(request):
    """A reader's settings; they hold within the test."""
    dtype, error_state = torch.get_default_dtype(), np.geterr()
    if request.param in ("float64", "bfloat16"):
        torch.set_default_dtype(getattr(torch, request.param))
        yield
        assert torch.get_default_dtype() == getattr(torch, request.param)
        torch.set_default_dtype(dtype)
    elif request.param == "device":
        with torch.device("meta"):
            yield
    elif request.param == "strict":
        np.seterr(all="raise")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
        np.seterr(**error_state)
    else:
        with torch.no_grad() if request.param == "no gradients" else torch.inference_mode():
            yield


def test_verdicts_are_the_same_whatever_the_reader_has_set(surroundings):
    for e in CODE:
        assert e.check(e.reference).outcome == "correct", e.id
        wrong = e.wrongs[0]
        assert e.check(wrong.example).seen == wrong.seen, e.id


def test_an_answer_runs_with_the_dtype_that_the_book_has():
    made = []

    def spy(logits, temperature):
        made.append(torch.zeros(1).dtype)
        return RIGHT(logits, temperature)

    torch.set_default_dtype(torch.float64)
    try:
        assert SOFTEN.check(spy)
    finally:
        torch.set_default_dtype(torch.float32)
    assert set(made) == {torch.float32}


def test_exercises_that_are_first_made_in_odd_surroundings_judge_alike():
    """All at once, in a program of its own: dtype, device, gradients and the random state."""
    program = """
        import torch, numpy
        torch.set_default_dtype(torch.bfloat16)
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)
        numpy.random.seed(7)
        with torch.inference_mode():
            from kdlib.exercises import exercise, exercises
            exercise("soften")
        for e in exercises().values():
            if e.kind != "code":
                continue
            if e.check(e.reference).outcome != "correct":
                print(e.id, e.check(e.reference))
            if e.check(e.wrongs[0].example).seen != e.wrongs[0].seen:
                print(e.id, e.check(e.wrongs[0].example))
        assert torch.get_default_dtype() == torch.bfloat16
        assert torch.zeros(1).device.type == "meta"
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env={**os.environ, "KDLIB_PROGRESS_DIR": "off"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_what_is_made_while_modules_load_is_ordinary():
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"), torch.inference_mode(), while_imported():
            made = torch.zeros(2)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert made.dtype == torch.float32 and made.device.type == "cpu" and not made.is_inference()


# ---------------------------------------------------------------- what an answer leaves behind


def test_folder_and_variables_are_put_back(tmp_path, monkeypatch):
    monkeypatch.setenv("KEPT", "1")

    def careless(logits, temperature):
        os.chdir(tmp_path)
        os.environ["KDLIB_PROGRESS_DIR"] = str(tmp_path)
        os.environ["NEW"] = "1"
        os.environ.pop("KEPT", None)
        return RIGHT(logits, temperature)

    before = os.getcwd(), dict(os.environ)
    assert SOFTEN.check(careless)
    assert (os.getcwd(), dict(os.environ)) == before
    assert not any(tmp_path.iterdir())  # no progress was written to where the answer wished


@pytest.mark.parametrize(
    ("home", "name"),
    [
        (torch, "softmax"), (torch, "allclose"), (F, "softmax"), (torch.special, "xlogy"),
        (torch.Tensor, "softmax"), (torch.Tensor, "sum"), (np, "allclose"), (math, "log"),
        (builtins, "sum"), (random, "seed"), (torch.linalg, "norm"),
    ],
)  # fmt: skip
def test_functions_that_an_answer_replaces_are_put_back(home, name):
    was = getattr(home, name)
    own = name in vars(home)

    def replacing(logits, temperature):
        setattr(home, name, lambda *args, **options: True)
        return torch.zeros_like(logits)

    assert SOFTEN.check(replacing).outcome == "wrong"
    assert getattr(home, name) is was and (name in vars(home)) == own
    assert SOFTEN.check(RIGHT).note == SOFTEN.explanation


def test_what_may_be_replaced_is_watched_where_it_lives():
    assert {torch, F, np, math, builtins, torch.Tensor} <= set(SHARED)


def test_gradients_and_dtype_that_one_probe_turns_off_do_not_reach_the_next():
    states = []

    def careless(logits, temperature):
        states.append((torch.is_grad_enabled(), torch.get_default_dtype()))
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        return RIGHT(logits, temperature)

    assert SOFTEN.check(careless)
    assert set(states) == {(True, torch.float32)}


# ---------------------------------------------------------------- functions that were replaced


@pytest.fixture
def fresh():
    """combined-gradient, whose reference uses torch.softmax; what is known of it is made anew."""
    e = exercise("combined-gradient")
    vars(e).pop("known", None)
    yield e
    vars(e).pop("known", None)


def test_a_table_that_was_made_with_a_replaced_function_is_made_anew(fresh, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(torch, "softmax", lambda x, dim: torch.zeros_like(x))
        fresh.check(fresh.reference)
    verdict = fresh.check(fresh.reference)
    assert verdict and "Something outside of your answer has changed" in verdict.note
    again = fresh.check(fresh.reference)
    assert again and "outside" not in again.note


def test_a_function_that_is_replaced_later_is_told_before_anything_is_called_wrong(
    fresh, monkeypatch
):
    assert fresh.check(fresh.reference)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "softmax", lambda x, dim: torch.zeros_like(x))
        verdict = fresh.check(fresh.reference)
        assert "Something outside of your answer has changed" in verdict.note
    assert fresh.check(fresh.reference)
    assert "outside" not in fresh.check(fresh.reference).note


def test_a_reference_that_fails_is_told_and_harms_nothing(fresh, monkeypatch):
    def broken(x, dim):
        raise RuntimeError("replaced")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "softmax", broken)
        verdict = fresh.check(lambda *args: torch.zeros(3))
        assert verdict.outcome == "error" and "outside" in verdict.note
    assert fresh.check(fresh.reference)


def test_a_wrong_answer_is_still_wrong_and_no_change_is_claimed():
    for e in CODE:
        verdict = e.check(e.wrongs[0].example)
        assert verdict.outcome == "wrong" and "outside" not in verdict.note


# ---------------------------------------------------------------- an interruption


def test_a_reader_who_interrupts_is_obeyed_and_nothing_goes_on():
    turns = []

    def forever(logits, temperature):
        while True:
            turns.append(time.sleep(0.01))

    others = set(threading.enumerate())  # another test's may still be asleep
    reader = threading.main_thread().ident
    timer = threading.Timer(0.5, signal.pthread_kill, (reader, signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        SOFTEN.check(forever, seconds=20.0)
    assert time.monotonic() - start < 10
    timer.join()
    made = len(turns)
    time.sleep(0.2)
    assert len(turns) == made
    assert not {t for t in threading.enumerate() if t.name == "exercise"} - others
    assert SOFTEN.check(RIGHT)
