"""Planted mistakes: what is summed, what it is divided by, and which tokens are in it."""

import torch
import torch.nn.functional as F

from kdlib.losses.alignment import next_token
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.divergences import forward_kl
from kdlib.losses.objectives import Objective
from kdlib.sequences.sums import sequence_mean, sequence_sum
from planted import distillation, gradient, holds, mistake, random_logits, same


def per_token_kl(student, teacher):
    return forward_kl(teacher.log_softmax(-1), student.log_softmax(-1))


# ---------------------------------------------------------------- divisors


def splitting_each_token_in_two_changes_nothing(loss):
    student, teacher = random_logits(2, 3, 7, 4)
    doubled = [logits.repeat_interleave(2, -1) for logits in (student, teacher)]
    same(loss(*doubled), loss(student, teacher), "the loss over a vocabulary of twice the size")


@mistake("mean-over-vocab", splitting_each_token_in_two_changes_nothing, distillation)
def default_reduction(student, teacher):
    return F.kl_div(
        student.log_softmax(-1), teacher.log_softmax(-1), log_target=True, reduction="mean"
    )


def saying_everything_twice_changes_nothing(loss):
    student, teacher = random_logits(2, 3, 7, 4)
    twice = [torch.cat([logits, logits], 1) for logits in (student, teacher)]
    same(loss(*twice), loss(student, teacher), "the loss per token of sequences twice as long")


@mistake("batchmean-over-sequences", saying_everything_twice_changes_nothing, distillation)
def batch_mean(student, teacher):
    return F.kl_div(
        student.log_softmax(-1), teacher.log_softmax(-1), log_target=True, reduction="batchmean"
    )


def per_token_over(micro_batches):
    losses = [distillation_loss(*batch, objective=Objective()) for batch in micro_batches]
    return sum(loss.total for loss in losses) / sum(loss.count for loss in losses)


def split_gradient(step, student, teacher, sizes):
    def of_logits(logits):
        return step(list(zip(logits.split(sizes), teacher.split(sizes), strict=True)))

    return gradient(of_logits, student)


def halves_make_the_step_of_the_whole(step):
    student, teacher = random_logits(2, 10, 4)
    whole, halves = (split_gradient(step, student, teacher, n) for n in ([10], [5, 5]))
    same(halves, whole, "the gradient of two equal micro-batches")


@mistake("divided-twice", halves_make_the_step_of_the_whole, per_token_over)
def means_over_the_token_count(micro_batches):
    tokens = sum(len(student) for student, _ in micro_batches)
    return sum(per_token_kl(*batch).mean() / tokens for batch in micro_batches)


def uneven_parts_make_the_step_of_the_whole(step):
    student, teacher = random_logits(2, 10, 4)
    whole, parts = (split_gradient(step, student, teacher, n) for n in ([10], [1, 9]))
    same(parts, whole, "the gradient of micro-batches of 1 and 9 tokens")


@mistake("mean-of-means", uneven_parts_make_the_step_of_the_whole, per_token_over)
def mean_of_the_means(micro_batches):
    return sum(per_token_kl(*batch).mean() for batch in micro_batches) / len(micro_batches)


def equal_tokens_make_equal_sequences(loss):
    same(loss(torch.full((3,), 0.2)), loss(torch.full((9,), 0.2)), "a longer sequence's loss")


@mistake("sum-for-mean", equal_tokens_make_equal_sequences, sequence_mean)
def compare_sums(token_losses):
    return token_losses.sum(-1)


def another_token_adds_its_loss(loss):
    same(loss(torch.tensor([0.2, 0.3, 0.5])), 1.0, "the loss of a sequence of three tokens")


@mistake("mean-for-sum", another_token_adds_its_loss, sequence_sum)
def mean_of_the_tokens(token_losses):
    return token_losses.mean(-1)


# ---------------------------------------------------------------- padding


def padding_changes_nothing(loss):
    student, teacher = random_logits(2, 2, 4, 5)
    alone = loss(student, teacher, torch.ones(2, 4))
    for left, right in ((0, 3), (2, 0), (5, 1)):
        inside = slice(left, left + 4)
        padded = random_logits(2, 2, left + 4 + right, 5, seed=1)
        padded[0, :, inside], padded[1, :, inside] = student, teacher
        mask = F.pad(torch.ones(2, 4), (left, right))
        same(loss(*padded, mask), alone, f"the loss with padding {left}, {right}")


@mistake("padding-counted", padding_changes_nothing, distillation)
def mean_of_the_rectangle(student, teacher, mask):
    return per_token_kl(student, teacher).mean()


@mistake("wrong-size-in-mean", padding_changes_nothing, distillation)
def masked_sum_over_the_rectangle(student, teacher, mask):
    return (per_token_kl(student, teacher) * mask).mean()


# ---------------------------------------------------------------- which token follows


def next_token_loss(logits, ids, mask):
    logits, labels, counted = next_token(logits, ids, mask)
    objective = Objective.from_lambda(0.0)
    return distillation_loss(logits, None, labels, counted, objective=objective).mean


TEXT = torch.tensor([[3, 1, 4, 2, 5, 0]])  # no token twice


def prediction_is_rewarded_and_copying_is_not(loss):
    mask = torch.ones_like(TEXT)
    sure = 20 * torch.eye(6, dtype=torch.float64)
    predicts, copies = sure[TEXT.roll(-1, 1)], sure[TEXT]
    holds(loss(predicts, TEXT, mask) < 1e-3, "who knows the next token has no loss")
    holds(loss(copies, TEXT, mask) > 10, "who repeats its input has a large one")


@mistake("off-by-one", prediction_is_rewarded_and_copying_is_not, next_token_loss)
def not_shifted(logits, ids, mask):
    return F.cross_entropy(logits.flatten(0, 1), ids.flatten())


@mistake("off-by-one", prediction_is_rewarded_and_copying_is_not, next_token_loss)
def shifted_twice(logits, ids, mask):
    logits, labels, counted = next_token(logits, ids, mask)
    return next_token_loss(logits, labels, counted)


def every_token_but_the_first_is_learned(loss):
    end = int(TEXT[0, -1])  # ends the text, and pads it
    ids, mask = F.pad(TEXT, (0, 3), value=end), F.pad(torch.ones_like(TEXT), (0, 3))
    learned = gradient(loss, random_logits(1, 9, 6), ids, mask).abs().sum(-1) > 0
    same(learned, [[1] * 5 + [0] * 4], "the positions with a gradient")


@mistake("stop-token-masked", every_token_but_the_first_is_learned, next_token_loss)
def mask_from_the_pad_id(logits, ids, mask):
    pad_id = ids[0, -1]
    return next_token_loss(logits, ids, ids != pad_id)


@mistake("end-left-out", every_token_but_the_first_is_learned, next_token_loss)
def one_term_too_few(logits, ids, mask):
    last = int(mask.sum()) - 1
    return F.cross_entropy(logits[0, : last - 1], ids[0, 1:last])
