"""Texts that the student writes for its own training: which, how they count, and how one goes on.

The oracles take the loss apart by hand: one text and one position at a time, from whole logits.
"""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from bigram_runs import assert_bit_equal, weights
from test_loop import stop_after
from transformers import LlamaConfig, LlamaForCausalLM

from kdlib.data.blocks import Blocks
from kdlib.losses.objectives import Objective
from kdlib.teachers.live import LiveTargets, PrecomputedTargets
from kdlib.training import loop
from kdlib.training.phase import Interrupted, Phase
from kdlib.training.rollouts import Rollout, Rollouts, Writer
from kdlib.training.schedule import Training, make_optimizer
from kdlib.training.step import StepContext, take_step
from kdlib.training.student_with_loss import StudentWithLoss
from kdlib.training.task import Task

V, S, P, N = 11, 9, 3, 4
KD = Objective.from_alpha(1.0, divergence="reverse_kl")
BOTH = Objective.from_alpha(0.7, divergence="forward_kl", temperature=2.0)


def model(seed, width=8, vocabulary=V):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=32, initializer_range=0.6,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def teacher():
    return model(1, width=12).eval().requires_grad_(False)


def text(rows=10, short=True):
    ids = torch.randint(0, V, (rows, S), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    if short:
        mask[4, 2:] = 0  # shorter than a beginning
        mask[7, 6:] = 0
    return Blocks(ids, mask, bytes=100)


def stepper(blocks, objective, targets, accumulation=1, student=None):
    student = student or model(2)
    training = Training(steps=1, batch=6, gradient_accumulation=accumulation, clip=1e9)
    learner = StudentWithLoss(student)
    task = Task(blocks, blocks, objective, training, targets)
    return StepContext(learner, make_optimizer(learner, training), task, Accelerator(cpu=True))


def by_hand(student, blocks, rows, own, texts, objective):
    """Sum and count of the loss, a position at a time."""
    total, count, written = 0.0, 0, iter(texts)
    for place, row in enumerate(rows.tolist()):
        ids = next(written) if own[place] else blocks.ids[row]
        q, p = (m(input_ids=ids[None]).logits[0].double() for m in (student, teacher()))
        t = objective.temperature
        for at in range(1, S):
            if own[place] and not P <= at < P + N:
                continue
            if not own[place] and not (blocks.mask[row, at - 1] and blocks.mask[row, at]):
                continue
            log_p, log_q = F.log_softmax(p[at - 1] / t, 0), F.log_softmax(q[at - 1] / t, 0)
            kl = {"reverse_kl": (log_q.exp() * (log_q - log_p)).sum(),
                  "forward_kl": (log_p.exp() * (log_p - log_q)).sum()}[objective.divergence]  # fmt: skip
            total = total + objective.teacher_weight * t * t * kl
            if not own[place]:
                total = total - objective.label_weight * F.log_softmax(q[at - 1], 0)[ids[at]]
            count += 1
    return total, count


# --- Which rows, and which positions --------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.7, 1.0])
def test_the_steps_together_have_the_share(share):
    blocks = text(50, short=False)
    rollouts = Rollouts(share, P, N)
    counts = [int(rollouts.own_rows(step, torch.arange(7), blocks).sum()) for step in range(40)]
    assert sum(counts) == math.floor(share * 7 * 40 + 1e-6)
    assert max(counts) - min(counts) <= 1


def test_a_block_shorter_than_the_beginning_is_read_as_it_is():
    own = Rollouts(1.0, P, N).own_rows(0, torch.tensor([3, 4, 7]), text())
    assert own.tolist() == [True, False, True]


def test_what_was_written_counts_and_the_beginning_does_not():
    counted = Rollouts(1.0, P, N).counted(S)
    assert counted.nonzero().squeeze().tolist() == [2, 3, 4, 5]  # they predict the tokens 3 to 6


# --- The gradient of any mixture ------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LiveTargets, PrecomputedTargets])
@pytest.mark.parametrize("objective", [KD, BOTH], ids=["teacher", "labels too"])
@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_gradient_is_that_of_the_sum_over_the_count(kind, objective, accumulation, share):
    blocks, rows = text(), torch.tensor([1, 4, 7, 2, 9, 0])
    targets = kind(teacher()) if kind is LiveTargets else kind(teacher(), blocks)
    context = stepper(blocks, objective, targets, accumulation)
    student = context.student.model
    rollouts = Rollouts(share, P, N)
    own = rollouts.own_rows(0, rows, blocks)
    texts = torch.randint(0, V, (int(own.sum()), S), generator=torch.Generator().manual_seed(5))
    total, count = by_hand(student, blocks, rows, own, texts, objective)
    expected = torch.autograd.grad(total / count, list(student.parameters()))

    seen = []
    context.optimizer.step = lambda: seen.extend(p.grad.clone() for p in student.parameters())
    loss, _ = take_step(context, rows, Rollout(own, texts, rollouts.counted(S)))
    assert loss.count == count
    assert loss.total.item() == pytest.approx(total.item(), rel=1e-5)
    for got, wanted in zip(seen, expected, strict=True):
        torch.testing.assert_close(got, wanted.float(), rtol=2e-4, atol=1e-6)


def test_no_gradient_flows_through_the_writing():
    """In the mean over what is written, the gradient is that of enumeration with fixed texts."""
    vocabulary, new = 3, 2
    student, master = model(2, vocabulary=vocabulary), model(1, 12, vocabulary).eval()
    ids = torch.tensor([[1, 0, 2, 0, 0]])
    rollouts = Rollouts(1.0, 3, new)
    expected = [torch.zeros_like(p) for p in student.parameters()]
    for tokens in itertools.product(range(vocabulary), repeat=new):
        written = torch.tensor([[1, 0, 2, *tokens]])
        log_q = student(input_ids=written).logits[0].log_softmax(-1)
        log_p = master(input_ids=written).logits[0].log_softmax(-1).detach()
        chance = math.exp(sum(log_q[2 + at, token].item() for at, token in enumerate(tokens)))
        kl = (log_q.exp() * (log_q - log_p)).sum(-1)[2:4].sum() / new
        for sum_, part in zip(expected, torch.autograd.grad(kl, list(student.parameters()))):
            sum_ += chance * part

    draws, batch = 60, 400
    many = Blocks(ids.expand(batch, -1), torch.ones(batch, 5), bytes=5)
    context = stepper(many, KD, LiveTargets(master), student=student)
    seen = []
    context.optimizer.step = lambda: seen.append(
        torch.cat([p.grad.flatten() for p in student.parameters()])
    )
    rows = torch.arange(batch)
    for step in range(draws):
        writer = Writer(rollouts, many, step, context.accelerator)
        take_step(context, rows, writer.rollout(0, {0: rows}, context.student))
    means = torch.stack(seen)
    error = means.std(0) / draws**0.5
    wanted = torch.cat([part.flatten() for part in expected])
    assert ((means.mean(0) - wanted).abs() <= 5 * error + 1e-6).all()


def test_a_rollout_begins_as_its_block_and_ends_with_what_the_student_would_say():
    """The law of the texts: of 20,000, each of the 27 that are possible as often as it should be."""
    student = model(2, vocabulary=3).eval()
    ids = torch.tensor([[1, 2, 0, 0, 0, 2]])
    many = Blocks(ids.expand(20_000, -1), torch.ones(20_000, 6), bytes=6)
    writer = Writer(Rollouts(1.0, 2, 3, temperature=1.5), many, 0, Accelerator(cpu=True))
    rows = torch.arange(20_000)
    written = writer.rollout(0, {0: rows}, StudentWithLoss(student)).ids
    assert (written[:, :2] == ids[:, :2]).all() and (written[:, 5] == 2).all()
    for tokens in itertools.product(range(3), repeat=3):
        whole = torch.tensor([[1, 2, *tokens]])
        log_q = (student(input_ids=whole).logits[0] / 1.5).log_softmax(-1)
        chance = math.exp(sum(log_q[1 + at, token].item() for at, token in enumerate(tokens)))
        found = (written[:, 2:5] == torch.tensor(tokens)).all(1).double().mean().item()
        assert abs(found - chance) < 5 * (chance * (1 - chance) / 20_000) ** 0.5 + 1e-9


# --- Training with them ---------------------------------------------------------------------------


def run(blocks, phase, rollouts, steps=12, objective=KD):
    student, master = model(2), teacher()
    training = Training(steps=steps, batch=4, learning_rate=0.02, checkpoint_every=5)
    task = Task(blocks, blocks, objective, training, LiveTargets(master), rollouts)
    loop.train(student, task, phase, Accelerator(cpu=True))
    return student


@pytest.mark.parametrize("refresh", [1, 3, 100])
@pytest.mark.parametrize("step", [0, 4, 7])
def test_interrupted_and_resumed_is_bit_equal(tmp_path, monkeypatch, step, refresh):
    """Also where texts that are written are still to be used."""
    blocks, rollouts = text(), Rollouts(0.5, P, N, refresh=refresh)
    for name in "ab":
        (tmp_path / name).mkdir()
    straight = run(blocks, Phase("student", tmp_path / "a", "r", 0), rollouts)
    broken = Phase("student", tmp_path / "b", "r", 0)
    restore = stop_after(monkeypatch, step)
    with pytest.raises(Interrupted):
        run(blocks, broken, rollouts)
    restore()
    torch.rand(100)
    assert_bit_equal(weights(straight), weights(run(blocks, broken, rollouts)))


def test_texts_of_some_age_are_those_of_older_weights(tmp_path):
    """With one text a step, the student that writes is the one that learns; else it was that."""
    blocks, asked = text(short=False), []

    class Noted(Writer):
        def _sample(self, first, rows, student):
            asked.append((first, len(rows)))
            return super()._sample(first, rows, student)

    for refresh, expected in ((1, [(0, 2), (1, 2), (2, 2)]), (2, [(0, 4), (2, 2)])):
        asked.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "Writer", Noted)
            folder = tmp_path / str(refresh)
            folder.mkdir()
            run(blocks, Phase("s", folder, "r", 0), Rollouts(0.5, P, N, refresh=refresh), steps=3)
        assert asked == expected


def test_a_student_that_writes_all_comes_nearer_to_its_teacher_on_its_own_texts(phase):
    blocks, rollouts = text(short=False), Rollouts(1.0, P, N)
    master = teacher()

    def far(student):
        writer = Writer(rollouts, blocks, 9, Accelerator(cpu=True))
        rows = torch.arange(10).repeat(50)
        ids = writer.rollout(0, {0: rows}, StudentWithLoss(student.eval())).ids
        log_q, log_p = (m(input_ids=ids).logits.log_softmax(-1) for m in (student, master))
        kl = (log_q.exp() * (log_q - log_p)).sum(-1)
        return kl[:, P - 1 : P + N - 1].mean().item()

    before = far(model(2))
    assert far(run(blocks, phase, rollouts, steps=60)) < before / 2
