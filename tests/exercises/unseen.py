"""Answers that are not kept with the exercises, as readers would write them.

They were written from the tasks alone, without looking at the kept wrong answers.
"""

from torch.distributions import Categorical

from kdlib.exercises import chapters, exercise


class Unseen:
    """The unseen answers of one file: right ones, and wrong ones with the names that would do."""

    def __init__(self):
        self.answers = []
        self.mistakes = []

    def right(self, id):
        return lambda function: self.answers.append((id, function)) or function

    def wrong(self, id, *names):
        return lambda function: self.mistakes.append((id, names, function)) or function

    def of_chapter(self, number):
        ids = {e.id for e in chapters()[number]}
        return [(id, names, f) for id, names, f in self.mistakes if id in ids]


def not_named(mistakes):
    """What is said of the mistakes that get none of their names; all must count as wrong."""
    verdicts = [(names, exercise(id).check(function)) for id, names, function in mistakes]
    assert all(verdict.outcome == "wrong" for _, verdict in verdicts), verdicts
    return [f"{names}: {v}" for names, v in verdicts if v.misconception not in names]


def assert_nine_in_ten(mistakes):
    missed = not_named(mistakes)
    assert mistakes and len(missed) <= 0.1 * len(mistakes), "\n".join(missed)


def categoricals(*logits):
    """The distributions that belong to these logits."""
    return [Categorical(logits=x.double()) for x in logits]
