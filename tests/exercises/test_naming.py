"""How a mistake is named that nobody wrote down: by shape, by part, by switches, by lookalikes."""

import sys
import time

import pytest
import torch

from kdlib.exercises import code
from kdlib.exercises.authoring.inputs import log_pair, normal
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.rules import matches
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.judging.values import plain

ABOUT = {"source": ("Q01",), "difficulty": 1, "minutes": 1, "hints": ("think", "look")}


@pytest.fixture
def rows():
    """The largest entry of each row."""

    @code(prompt="max", **ABOUT)
    def row_maximum(x):
        """Largest entry of each row. (B, V) -> (B,)"""
        return x.amax(dim=-1)

    for size, words in ((3, 5), (2, 7), (4, 2)):
        row_maximum.probe(f"{size} rows", normal(size, words, seed=size))
    return row_maximum


def test_one_number_for_all_rows_is_named(rows):
    assert rows.check(lambda x: x.max()).misconception == "batch-for-row"
    assert rows.check(lambda x: [x.sum()]).misconception == "batch-for-row"
    assert rows.check(lambda x: x.amin(dim=-1)).misconception is None


def test_a_number_for_each_column_is_named(rows):
    assert rows.check(lambda x: x.amax(dim=0)).misconception == "wrong-axis"
    assert rows.check(lambda x: x.sum(dim=0)).misconception == "wrong-axis"


def test_an_argument_that_comes_back_is_named(rows):
    assert rows.check(lambda x: x).misconception == "nothing-done"
    assert rows.check(lambda x: x + 1).misconception is None


@pytest.fixture
def pair():
    """Sum and count of masked numbers."""

    @code(prompt="sum and count", **ABOUT)
    def sum_and_count(x, mask):
        """Sum and number of what the mask keeps. -> (sum, count)"""
        return (x * mask).sum(), mask.sum()

    for size in (4, 6, 9):
        sum_and_count.probe(f"{size} numbers", normal(size, seed=size), torch.arange(size) % 2)
    sum_and_count.mistakes(
        ("padding-counted", "all are summed", "the mask", lambda x, mask: (x.sum(), mask.sum())),
        ("wrong-size-in-mean", "all count", "a count", lambda x, mask: ((x * mask).sum(), len(x))),
        ("off-by-one", "shifted", "no shift", lambda x, mask: ((x * (1 - mask)).sum(), len(x))),
    )
    return sum_and_count


def test_of_a_pair_the_first_wrong_part_is_named(pair):
    both = pair.check(lambda x, mask: (x.sum(), len(x)))
    assert both.misconception == "padding-counted"
    second = pair.check(lambda x, mask: ((x * mask).sum(), 7 * mask.sum()))
    assert second.misconception is None


def test_a_count_is_not_explained_by_a_mistake_that_also_spoils_the_sum(pair):
    """The answer has the shifted count, and its sum shows that nothing is shifted."""
    pair.wrongs.pop(1)
    assert pair.check(lambda x, mask: ((x * mask).sum(), len(x))).misconception is None


def softened(kl=kl_of_logs, power=2, reduce=torch.mean):
    return lambda p, q, T: T**power * reduce(kl((p / T).log_softmax(-1), (q / T).log_softmax(-1)))


@pytest.fixture
def loss():
    @code(prompt="loss", **ABOUT)
    def softened_loss(p, q, temperature):
        """Mean softened KL, times the square of the temperature. -> scalar"""
        return softened()(p, q, temperature)

    for size, words, temperature in ((3, 5, 2.0), (2, 7, 0.5), (4, 2, 3.0)):
        softened_loss.probe(f"{size} rows", *log_pair(size, words, seed=size), temperature)
    name_switches(
        softened_loss,
        softened,
        ("missing-t-squared", "no factor", "a factor", {"power": 0}),
        ("sum-for-mean", "a sum", "a mean", {"reduce": torch.sum}),
        *kl_switches(),
    )
    name_lookalikes(softened_loss, lambda kl: softened(kl=kl))
    return softened_loss


def test_two_switches_at_once_are_named_and_both_are_said(loss):
    verdict = loss.check(softened(power=0, reduce=torch.sum))
    assert verdict.misconception == "missing-t-squared"
    assert verdict.seen == "two things at once: no factor; and a sum"
    turned = loss.check(softened(kl=lambda p, q: kl_of_logs(q, p), reduce=torch.sum))
    assert turned.misconception in {"kl-reversed", "sum-for-mean"}


def test_a_switch_that_no_ordinary_probe_shows_is_not_said(loss):
    logs = torch.tensor([[0.0, -torch.inf]]), torch.tensor([[0.0, -torch.inf]])
    loss.probe("zeros", *logs, 1.0, points_to="zero-log-zero")
    naive = ("zero-log-zero", "NaN", "0", {"kl": lambda p, q: (p.exp() * (p - q)).sum(-1)})
    name_switches(loss, softened, naive, ("mean-for-sum", "half", "all", {"power": 1}))
    verdict = loss.check(softened(kl=naive[3]["kl"], power=1))
    assert "NaN" not in verdict.seen


def test_what_is_taken_for_kl_is_named_whatever_stands_around_it(loss):
    total_variation = softened(kl=lambda p, q: (p.exp() - q.exp()).abs().sum(-1) / 2)
    assert loss.check(total_variation).misconception == "divergences-mixed-up"
    clamped = softened(kl=lambda p, q: (p.exp() * (p - q)).clamp(min=0).sum(-1))
    assert loss.check(clamped).misconception == "terms-clamped"


def test_a_rule_does_not_hold_where_everything_ordinary_is_right(loss):
    right, _ = loss.known
    assert not matches(loss, softened())(right)
    wrong = {name: plain(2 * value) for name, value in right.items()}
    assert matches(loss, softened(reduce=lambda x: 2 * x.mean()))(wrong)


def test_parts_of_scalars_can_be_matched(pair):
    right, _ = pair.known
    holds = matches(pair, lambda x, mask: x.sum(), part=0)
    assert holds({p.name: plain(pair.wrongs[0].example(*p.args)) for p in pair.probes})
    assert not holds(right)


def test_a_module_is_not_broken_off_while_it_loads(tmp_path, monkeypatch, rows):
    (tmp_path / "slow_to_load.py").write_text("import time\ntime.sleep(2)\nready = True\n")
    monkeypatch.syspath_prepend(tmp_path)

    def answer(x):
        import slow_to_load

        return x.amax(dim=-1) * slow_to_load.ready

    start = time.monotonic()
    assert rows.check(answer, seconds=1.0)
    assert time.monotonic() - start > 2
    assert sys.modules.pop("slow_to_load").ready
