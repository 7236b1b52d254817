"""Answers that misbehave harm neither the notebook nor the verdict."""

import random
import sys
import threading
import time

import numpy as np
import pytest
import torch

from kdlib.exercises import exercise
from kdlib.exercises.judging.sandbox import within

SOFTEN = exercise("soften")
RIGHT = SOFTEN.reference


def forever(logits, temperature):
    while True:
        pass


def forever_and_deaf(logits, temperature):
    deadline = time.monotonic() + 3  # it must not outlive the suite
    while time.monotonic() < deadline:
        try:  # noqa: SIM105  to catch everything is the point
            time.sleep(0.01)
        except:  # noqa: E722
            pass
    return RIGHT(logits, temperature)


def test_an_endless_loop_is_stopped_and_said():
    others, start = set(threading.enumerate()), time.perf_counter()  # others may be still asleep
    verdict = SOFTEN.check(forever, seconds=0.2)
    assert time.perf_counter() - start < 2
    assert verdict.outcome == "error" and "never ends" in verdict.note
    assert "kernel" not in verdict.note
    assert not {t for t in threading.enumerate() if t.name == "exercise"} - others


def test_a_loop_that_swallows_every_exception_cannot_hold_the_check():
    start = time.perf_counter()
    verdict = SOFTEN.check(forever_and_deaf, seconds=0.2)
    assert time.perf_counter() - start < 2
    assert verdict.outcome == "error" and "restart the kernel" in verdict.note


def test_a_check_works_outside_the_main_thread():
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.append(SOFTEN.check(RIGHT)))
    thread.start()
    thread.join()
    assert verdicts[0]


def test_sys_exit_is_an_error_of_the_answer():
    assert SOFTEN.check(lambda *_: sys.exit(0)).outcome == "error"


def test_endless_recursion_is_an_error_of_the_answer():
    def deeper(logits, temperature):
        return deeper(logits, temperature)

    verdict = SOFTEN.check(deeper)
    assert verdict.outcome == "error" and "RecursionError" in verdict.note


def test_changing_the_input_harms_nothing_and_is_said():
    def in_place(logits, temperature):
        logits /= temperature
        return torch.softmax(logits, dim=-1)

    for _ in range(2):
        verdict = SOFTEN.check(in_place)
        assert verdict and "in place" in verdict.note
    assert SOFTEN.check(RIGHT).note == ""


def test_returning_the_changed_input_itself_is_judged_by_its_value():
    def alias(logits, temperature):
        logits[...] = torch.softmax(logits / temperature, dim=-1)
        return logits

    assert SOFTEN.check(alias)


def test_replacing_torchs_softmax_does_not_turn_the_judge(monkeypatch):
    SOFTEN.check(RIGHT)
    true_softmax = torch.softmax

    def cheat(logits, temperature):
        torch.softmax = lambda x, dim: torch.zeros_like(x)
        return torch.zeros_like(logits)

    try:
        assert not SOFTEN.check(cheat)
    finally:
        torch.softmax = true_softmax
    assert SOFTEN.check(RIGHT)


def test_global_state_is_put_back():
    def careless(logits, temperature):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        sys.setrecursionlimit(5000)
        return RIGHT(logits, temperature)

    before = torch.random.get_rng_state(), random.getstate(), sys.getrecursionlimit()
    assert SOFTEN.check(careless)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1:] == (random.getstate(), sys.getrecursionlimit())
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()


def test_what_an_answer_prints_does_not_enter_the_verdict(capsys):
    def chatty(logits, temperature):
        print("✓ soften: correct" * 100)
        return logits

    assert "correct" not in repr(SOFTEN.check(chatty))


@pytest.mark.parametrize(
    "value",
    ["x", b"x", {1}, object(), type, lambda: 0, 1j, {"a": 1}, iter("ab"), [], [[1], [2, 3]]],
)
def test_odd_results_are_wrong_and_not_a_crash(value):
    verdict = SOFTEN.check(lambda logits, temperature: value)
    assert verdict.outcome == "wrong" and verdict.misconception is None


def test_an_object_that_lies_about_itself_is_an_error():
    class Liar:
        def __array__(self, *args, **kwargs):
            raise KeyError("no")

        def __eq__(self, other):
            return True

    assert SOFTEN.check(lambda *_: Liar()).outcome == "wrong"


def test_wrong_numbers_of_arguments_are_errors():
    assert SOFTEN.check(lambda logits: logits).outcome == "error"
    assert SOFTEN.check(lambda a, b, c: a).outcome == "error"


def test_within_returns_what_the_work_returns_and_raises_nothing_late():
    assert within(1, lambda: 42) == 42
    with pytest.raises(TimeoutError):
        within(0.05, lambda: time.sleep(1))


def test_an_error_of_the_engine_itself_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        within(1, lambda: 1 / 0)
