"""Texts of the student's own: who wrote what, which tokens count, what sampling leaves alone."""

import copy
import functools
import inspect

import pytest
import torch
from sequence_models import generator
from story import STORY, close
from torch import nn

from kdlib.losses.divergences import forward_kl
from kdlib.losses.objectives import Objective
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.sequences.on_policy import Texts, mixed_batch, on_policy_loss, sample_batch
from kdlib.toys.students import TabularStudent

EOS = STORY.eos_id
START = torch.full((400, 1), EOS)


class Loop:
    """A language on 0..4 in which v is followed by v + 1, and 0 by 1; logits as large as asked."""

    vocab_size, eos_id = 5, 4

    def __init__(self, logit=200.0):
        self.logits = logit * torch.eye(5).roll(1, dims=1)

    def next_log_probs(self, prefixes, context=None):
        return self.logits[prefixes[:, -1]]


class Dropper(nn.Module):
    """A module that always drops half of what it knows, unless it is in eval mode."""

    def __init__(self):
        super().__init__()
        self.dropout, self.frozen = nn.Dropout(0.5), nn.Dropout(0.5).eval()
        self.seen = []

    def next_log_probs(self, prefixes, context=None):
        self.seen.append((self.dropout.training, torch.is_grad_enabled()))
        return torch.zeros(len(prefixes), 5)


def ids(*rows):
    return torch.tensor(rows)


def llama(seed=0):
    model = new_model(ModelSize(16, 2, 2, initial_std=0.3), 11, 32, seed)
    return model.eval()


# ---------------------------------------------------------------- what is drawn


def test_the_student_goes_on_from_its_own_words_until_it_ends():
    texts = sample_batch(Loop(), ids([0], [2], [3], [1]), 3, eos_id=4, generator=generator())
    assert texts.ids.tolist() == [[0, 1, 2, 3], [2, 3, 4, 4], [3, 4, 4, 4], [1, 2, 3, 4]]
    assert texts.counted.tolist() == [
        [False, True, True, True],
        [False, True, True, False],
        [False, True, False, False],
        [False, True, True, True],
    ]
    assert texts.mask[:, 0].all() and torch.equal(texts.mask[:, 1:], texts.counted[:, 1:])
    assert texts.count == 3 + 2 + 1 + 3 and texts.by_student.all()


def test_an_eos_in_the_prompt_ends_nothing_and_without_eos_nothing_ends():
    texts = sample_batch(Loop(), ids([4, 4, 0]), 5, eos_id=4, generator=generator())
    assert texts.ids.tolist() == [[4, 4, 0, 1, 2, 3, 4, 4]] and texts.count == 4
    endless = sample_batch(Loop(), ids([0]), 7, eos_id=None, generator=generator())
    assert endless.ids.tolist() == [[0, 1, 2, 3, 4, 0, 1, 2]] and endless.count == 7


def test_the_shape_is_the_one_asked_for_even_when_all_end_early():
    texts = sample_batch(Loop(), ids([3], [3]), 6, eos_id=4, generator=generator())
    assert texts.ids.shape == texts.mask.shape == texts.counted.shape == (2, 7)
    assert texts.count == 2


LOGITS = torch.tensor([0.0, 1.0, 2.0, -1.0, 0.5])


class Constant:
    """The same distribution after every word."""

    def next_log_probs(self, prefixes, context=None):
        return LOGITS.expand(len(prefixes), 5)


@pytest.mark.parametrize("mixed", [False, True], ids=["sample_batch", "mixed_batch"])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_are_those_of_the_softened_student(temperature, mixed):
    prompts, options = torch.zeros(4000, 1, dtype=torch.int64), {"generator": generator(3)}
    write = functools.partial(mixed_batch, share=1.0) if mixed else sample_batch
    wanted = torch.zeros(4000, 3, dtype=torch.int64) if mixed else 3
    drawn = write(Constant(), prompts, wanted, temperature=temperature, eos_id=None, **options)
    shares = drawn.ids[:, 1:].flatten().bincount(minlength=5) / 12000
    expected = (LOGITS / temperature).softmax(-1)
    assert (shares - expected).abs().max() < 4 * (0.25 / 12000) ** 0.5
    others = [(LOGITS / t).softmax(-1) for t in (0.5, 1.0, 2.0) if t != temperature]
    assert all((shares - other).abs().max() > 0.05 for other in others)


def test_a_world_writes_texts_of_its_own_length():
    texts = sample_batch(STORY, START, 20, eos_id=EOS, generator=generator(1))
    words = STORY.visits(length=20).sum().item()
    assert texts.count / len(START) == pytest.approx(words, abs=4 * 3 / len(START) ** 0.5)
    log_p = STORY.position_log_probs(texts.ids[:, 1:])
    chosen = log_p.gather(2, texts.ids[:, 1:, None]).squeeze(2)
    assert (chosen[texts.counted[:, 1:]] > -torch.inf).all()


def test_the_same_generator_gives_the_same_texts_and_no_other_randomness_is_used():
    before = torch.random.get_rng_state()
    one, again, other = (
        mixed_batch(STORY, START, START.expand(-1, 9), 0.5, eos_id=EOS, generator=generator(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(one.ids, again.ids) and not torch.equal(one.ids, other.ids)
    assert torch.equal(torch.random.get_rng_state(), before)


# ---------------------------------------------------------------- a share of the rows

ANSWERS = ids([0, 0, 4, 1, 1]).expand(2000, -1)  # which Loop never writes; ends at its third token
PROMPTS = torch.zeros(2000, 2, dtype=torch.int64)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_rows_is_the_students_and_rows_have_one_author(share):
    before = ANSWERS.clone()
    texts = mixed_batch(Loop(), PROMPTS, ANSWERS, share, eos_id=4, generator=generator())
    own = texts.by_student
    noise = 4 * (share * (1 - share) / len(own)) ** 0.5
    assert own.double().mean().item() == pytest.approx(share, abs=noise)
    assert (texts.ids[own][:, 2:] == ids([1, 2, 3, 4, 4])).all()
    assert (texts.ids[~own][:, 2:] == ANSWERS[0]).all() and (texts.ids[:, :2] == 0).all()
    assert texts.count == 4 * own.sum() + 3 * (~own).sum()
    assert torch.equal(ANSWERS, before)  # the caller's data stay what they were


def test_who_wrote_a_row_is_drawn_for_each_row():
    texts = mixed_batch(Loop(), PROMPTS, ANSWERS, 0.5, eos_id=4, generator=generator())
    changes = (texts.by_student[1:] != texts.by_student[:-1]).double().mean().item()
    assert changes == pytest.approx(0.5, abs=0.05)


# ---------------------------------------------------------------- no gradient, no traces


def test_sampling_carries_no_gradient_and_leaves_the_modes_as_they_were():
    student = Dropper().train()
    student.frozen.eval()
    sample_batch(student, ids([0], [1]), 4, eos_id=None, generator=generator())
    assert student.seen == [(False, False)] * 4
    assert student.training and student.dropout.training and not student.frozen.training
    assert torch.is_grad_enabled()


def test_the_modes_come_back_when_the_student_fails():
    class Failing(Dropper):
        def next_log_probs(self, prefixes, context=None):
            raise RuntimeError("no")

    student = Failing().train()
    with pytest.raises(RuntimeError):
        sample_batch(student, ids([0]), 1, eos_id=None, generator=generator())
    assert student.dropout.training


def logits_of(student, texts):
    return student.log_rows()[texts.ids]


def test_the_gradient_knows_nothing_of_the_texts_that_might_have_been_written():
    """GKD's gradient corrects the student on the texts that it wrote. The whole gradient of the
    expected loss has a second part, from writing other texts, which must not be there."""
    student, teacher = TabularStudent(STORY), STORY.smoothed(0.05)
    with torch.no_grad():
        student.base.copy_(torch.randn(24, 24, generator=generator(2), dtype=torch.float64))
    texts = sample_batch(student, START.repeat(40, 1), 8, eos_id=EOS, generator=generator(5))
    loss = on_policy_loss(logits_of(student, texts), logits_of(teacher, texts), texts, Objective())
    (sampled,) = torch.autograd.grad(loss.total / len(texts.ids), student.base)

    visits = student.visits(length=8)
    losses = forward_kl(teacher.log_rows(), student.log_rows())
    stopped, whole = (
        torch.autograd.grad((v * losses).sum(), student.base, retain_graph=True)[0]
        for v in (visits.detach(), visits)
    )
    assert (sampled - stopped).norm() < 0.1 * stopped.norm()
    assert (sampled - whole).norm() > 0.3 * stopped.norm()


def test_texts_are_plain_tensors_that_a_student_can_be_trained_on():
    model = llama()
    texts = sample_batch(model, ids([1, 2]), 3, eos_id=None, generator=generator())
    model(input_ids=texts.ids, attention_mask=texts.mask).logits.sum().backward()
    assert not texts.ids.is_inference()


# ---------------------------------------------------------------- the loss


def test_the_loss_is_the_sum_over_drawn_tokens_and_its_count_their_number():
    prompts = ids([3, 1], [1, 3], [2, 2])
    texts = sample_batch(Loop(0.5), prompts, 6, eos_id=4, generator=generator(8))
    assert 3 < texts.count < 18  # some end early, some do not
    teacher, student = torch.randn(2, 3, 8, 5, generator=generator(1), dtype=torch.float64)
    objective = Objective(temperature=2.0)
    loss = on_policy_loss(student, teacher, texts, objective)
    total, count = 0.0, 0
    for row, tokens in enumerate(texts.ids.tolist()):
        for t in range(2, 8):
            p, q = ((x[row, t - 1] / 2.0).log_softmax(-1) for x in (teacher, student))
            total, count = total + 4 * (p.exp() * (p - q)).sum(), count + 1
            if tokens[t] == 4:
                break
    close(loss.total, total)
    assert loss.count == texts.count == count


def test_what_stands_behind_the_end_or_in_the_prompt_may_be_anything():
    texts = sample_batch(Loop(), ids([2, 2], [0, 0]), 4, eos_id=4, generator=generator())
    teacher, student = torch.randn(2, 2, 6, 5, generator=generator(1))
    expected = on_policy_loss(student, teacher, texts, Objective())
    uncounted = ~torch.cat([texts.counted[:, 1:], torch.zeros(2, 1, dtype=torch.bool)], dim=1)
    broken = student.masked_fill(uncounted[:, :, None], torch.nan).requires_grad_()
    loss = on_policy_loss(broken, teacher, texts, Objective())
    close(loss.total.detach(), expected.total)
    loss.total.backward()
    assert (broken.grad[uncounted] == 0).all() and (broken.grad[~uncounted] != 0).any(dim=-1).all()


def test_the_sampling_temperature_is_not_in_the_loss():
    assert "temperature" not in inspect.signature(on_policy_loss).parameters
    assert "temperature" not in Texts._fields


def test_the_teacher_receives_no_gradient():
    texts = sample_batch(Loop(), ids([0]), 3, eos_id=4, generator=generator())
    teacher, student = torch.randn(2, 1, 4, 5, generator=generator(1)).requires_grad_().unbind()
    loss = on_policy_loss(student, teacher, texts, Objective())
    to_teacher, to_student = torch.autograd.grad(
        loss.total, (teacher, student), allow_unused=True, materialize_grads=True
    )
    assert (to_teacher == 0).all() and (to_student != 0).any()


# ---------------------------------------------------------------- a real language model


def one_at_a_time(model, prompt, answer):
    """Log-probabilities of the answer's tokens, each from a pass over all that precedes it."""
    tokens = torch.cat([prompt, answer])
    log_q = model(input_ids=tokens[None]).logits[0].log_softmax(-1)
    return log_q[len(prompt) - 1 : -1].detach()


class Recorded(nn.Module):
    """A language model that notes the distributions that it is asked for."""

    def __init__(self, model):
        super().__init__()
        self.model, self.said, self.read = model, [], []

    def forward(self, input_ids, **more):
        output = self.model(input_ids=input_ids, **more)
        self.said.append(output.logits[:, -1].log_softmax(-1))
        self.read.append(input_ids.shape[1])
        return output


LONG, SHORT = ids([5, 3, 7, 2])[0], ids([9, 6])[0]
PADDED = {"prompt_mask": ids([1, 1, 1, 1], [0, 0, 1, 1]), "eos_id": None}
BOTH = torch.stack([LONG, torch.cat([ids([1, 1])[0], SHORT])])


def test_a_llama_writes_from_the_distributions_that_it_gives_without_cache_and_padding():
    model = llama()
    recorded = Recorded(model)
    texts = sample_batch(recorded, BOTH, 6, generator=generator(4), **PADDED)
    assert recorded.read == [4, 1, 1, 1, 1, 1]  # each token once
    said = torch.stack(recorded.said, dim=1)
    for row, prompt in enumerate((LONG, SHORT)):
        close(said[row], one_at_a_time(model, prompt, texts.ids[row, 4:]), 1e-4)
    assert texts.mask.tolist() == [[True] * 10, [False] * 2 + [True] * 8]
    assert texts.counted.sum(dim=1).tolist() == [6, 6]


def test_a_llama_that_writes_one_row_of_two_reads_that_rows_prompt_and_padding():
    model, answers = llama(), ids([1, 1, 1], [2, 2, 2])
    written = set()
    for seed in range(12):
        recorded = Recorded(model)
        texts = mixed_batch(recorded, BOTH, answers, 0.5, generator=generator(seed), **PADDED)
        own = texts.by_student.nonzero().squeeze(1).tolist()
        written.add(tuple(own))
        for place, row in enumerate(own):
            said = torch.stack(recorded.said, dim=1)[place]
            prompt = (LONG, SHORT)[row]
            close(said, one_at_a_time(model, prompt, texts.ids[row, 4:]), 1e-4)
        assert texts.mask[:, :4].equal(PADDED["prompt_mask"].bool())
    assert {(0,), (1,)} <= written


def test_a_llama_draws_at_the_sampling_temperature():
    prompts = ids([5, 3]).expand(3000, -1)
    texts = sample_batch(llama(), prompts, 1, temperature=3.0, eos_id=0, generator=generator())
    shares = texts.ids[:, 2].bincount(minlength=11) / 3000
    logits = llama()(input_ids=prompts[:1]).logits[0, -1].detach()
    assert (shares - (logits / 3).softmax(-1)).abs().max() < 4 * (0.25 / 3000) ** 0.5
    assert (shares - logits.softmax(-1)).abs().max() > 0.1


def test_a_llama_learns_from_its_own_texts():
    teacher, student = llama(1), copy.deepcopy(llama(2)).train()
    optimizer = torch.optim.Adam(student.parameters(), lr=0.01)
    prompts, answers = ids([1, 2]).expand(16, -1), ids([3, 4, 0, 0]).expand(16, -1)
    curve, draws = [], generator()
    for _ in range(40):
        texts = mixed_batch(student, prompts, answers, 0.8, eos_id=0, generator=draws)
        seen = {"input_ids": texts.ids, "attention_mask": texts.mask}
        with torch.no_grad():
            target = teacher(**seen).logits
        loss = on_policy_loss(student(**seen).logits, target, texts, Objective())
        optimizer.zero_grad()
        loss.mean.backward()
        optimizer.step()
        curve.append(loss.mean.item())
    assert student.training and sum(curve[-5:]) < 0.5 * sum(curve[:5])


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"new_tokens": 0}, "new_tokens is 0"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"prompts": ids([1.5])}, "prompts has shape"),
        ({"prompts": torch.zeros(3, dtype=torch.int64)}, "prompts has shape"),
        ({"prompts": torch.zeros(3, 0, dtype=torch.int64)}, "at least one token"),
        ({"prompt_mask": ids([1, 1, 1])}, "prompt_mask has shape"),
        ({"prompt_mask": ids([1, 0])}, "pad prompts on the left"),
    ],
)
def test_impossible_samplings_are_refused(changes, named):
    arguments = {"prompts": ids([0, 1]), "new_tokens": 2, "eos_id": 4, "generator": generator()}
    with pytest.raises(ValueError, match=named):
        sample_batch(Loop(), **(arguments | changes))


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"share": -0.1}, "share is -0.1"),
        ({"share": 1.1}, "share is 1.1"),
        ({"answers": ids([1, 2])}, "answers has shape"),
        ({"answers": torch.zeros(3, 2)}, "answers has shape"),
        ({"temperature": -1.0, "share": 0.0}, "temperature is -1.0"),
        ({"prompt_mask": ids([1], [0], [1]), "share": 0.0}, "prompt_mask"),
    ],
)
def test_impossible_mixtures_are_refused(changes, named):
    arguments = {"prompts": ids([0], [1], [2]), "answers": ids([1], [1], [1]), "share": 0.5}
    with pytest.raises(ValueError, match=named):
        mixed_batch(Loop(), **(arguments | changes), eos_id=4, generator=generator())


def test_words_that_the_student_drew_are_no_labels():
    texts = sample_batch(Loop(), ids([0]), 3, eos_id=4, generator=generator())
    logits = torch.zeros(1, 4, 5)
    with pytest.raises(ValueError, match="label_weight is 1.0"):
        on_policy_loss(logits, logits, texts, Objective.from_lambda(1.0))
