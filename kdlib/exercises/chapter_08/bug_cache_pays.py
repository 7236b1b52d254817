"""The arithmetic that a cache of targets saves."""

from kdlib.exercises.kinds.numbers import number

_T, _S, _EPOCHS = 1.7, 0.135, 3
_ASKED, _CACHED = _EPOCHS * (2 * _T + 6 * _S), 2 * _T + _EPOCHS * 6 * _S


@number(
    source=(),
    difficulty=3,
    minutes=6,
    decimals=2,
    prompt=(
        "For each parameter and token a forward pass costs 2 floating-point operations, and a "
        f"backward pass twice as many. A teacher of {_T} billion parameters distils a student of "
        f"{_S} billion, in {_EPOCHS} epochs over the same tokens. One run asks the teacher in "
        "every epoch, another asks it once and caches its targets. How many times as much "
        "arithmetic does the first need?"
    ),
    hints=(
        "Cost per token: which passes does the teacher make, which the student, and how often?",
        "The student goes forward and backward in each epoch: 6 operations for each parameter.",
        "epochs * (2 t + 6 s) over 2 t + epochs * 6 s.",
    ),
    explanation="With one epoch it is 1; however many, it never exceeds 1 + t / (3 s).",
)
def bug_cache_pays():
    """How many times the arithmetic of the cached run the uncached run needs."""
    return 3 * (2 * 1.7 + 6 * 0.135) / (2 * 1.7 + 3 * 6 * 0.135)


bug_cache_pays.mistakes(
    (
        "ratio-turned-round",
        _CACHED / _ASKED,
        "the value is below 1, as if the run with a cache were dearer",
        "the dearer run over the cheaper one",
    ),
    (
        "backward-pass-forgotten",
        _EPOCHS * (_T + _S) / (_T + _EPOCHS * _S),
        "a teacher's parameter costs as much as a student's: no difference is made for backward",
        "three times the cost for what is trained",
    ),
    (
        "backward-pass-forgotten",
        _EPOCHS * (2 * _T + 4 * _S) / (2 * _T + _EPOCHS * 4 * _S),
        "the student's parameters cost 4 in each epoch",
        "one pass forward and one that costs twice as much",
    ),
    (
        "term-left-out",
        _ASKED / (_EPOCHS * 6 * _S),
        "the cached run never asks the teacher at all",
        "a cache that has to be filled once",
    ),
    (
        "term-left-out",
        _EPOCHS,
        "the teacher's cost alone is compared, or the cached run trains for one epoch only",
        "a student that is trained in every epoch of both runs",
    ),
    (
        "ratio-and-difference",
        _ASKED - _CACHED,
        "the value is what is saved, in billions of operations a token",
        "a ratio, which has no unit",
    ),
)
