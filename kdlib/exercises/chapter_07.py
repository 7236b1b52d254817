"""Exercises of chapter 7: distilling a language model (Q05 again, as a whole plan)."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from kdlib.exercises.choices import choice, right, wrong
from kdlib.exercises.functions import code
from kdlib.exercises.inputs import normal
from kdlib.exercises.numbers import number

# The plan

plan_in_full = choice(
    "plan-in-full",
    source=("Q05",),
    difficulty=3,
    minutes=4,
    prompt=(
        "A language model of 8 billion parameters is to be compressed for phones whose memory "
        "holds 0.5 billion. All plans below collect texts like those of the users and train the "
        "student on them with the KL from the teacher at every position. Which plan would you sign?"
    ),
    hints=(
        "Check each plan four times: the device, the tokenizer, the test texts, the comparison.",
        "A result means something only beside what the same effort gives without a teacher.",
        "Two plans fail before any training; two others cannot show afterwards that it worked.",
    ),
    options=(
        wrong(
            "A student of 2 billion parameters with the teacher's tokenizer, as it matches best; "
            "judged on kept-back texts against the same student without a teacher.",
            "bigger-is-better",
            seen="the student of this plan has four times the parameters that fit into the phone",
            expected="a student whose size follows from the device",
        ),
        wrong(
            "A ready student of 0.4 billion with a vocabulary of the same size as the teacher's; "
            "judged on kept-back texts against the same student without a teacher.",
            "same-size-same-tokenizer",
            seen="equal sizes do not make entry number 17 of both vocabularies the same token",
            expected="two maps from token to id that agree entry by entry",
        ),
        wrong(
            "A student of 0.4 billion with the teacher's tokenizer; judged by how far its "
            "distillation loss falls during training.",
            "no-control",
            seen="the falling loss is measured on training texts and compared with nothing",
            expected="kept-back texts, and the same student trained without a teacher",
        ),
        right(
            "A student of 0.4 billion with the teacher's tokenizer; judged on kept-back texts "
            "against the same student without a teacher, once for as many steps, once for as long.",
            "Equal steps ask what the targets are worth; equal time takes their cost into account.",
        ),
        wrong(
            "A student of 0.4 billion with the teacher's tokenizer; judged on kept-back texts "
            "against the same student without a teacher, stopped after a tenth of the steps.",
            "unequal-budget",
            seen="this control would lose also to a student that simply trains for longer",
            expected="controls that get the student's budget",
        ),
    ),
)


# Which positions count


@code(
    source=(),
    difficulty=3,
    minutes=10,
    prompt=(
        "`ids` (B, S) are token ids, `mask` (B, S) is their attention mask: 1 for a real token, 0 "
        "for padding, which may stand on either side. Padding is filled with `eos`, the id of the "
        "stop token, for want of another. A pair of neighbours counts if both tokens, the one read "
        "and the one predicted, are real. Write `bug_next_token_sum(logits, ids, mask, eos)`: the "
        "sum of the next-token losses in nats, and how many there are. logits is (B, S, V)."
    ),
    hints=(
        "The logits at a position speak about the token after it; the last ones have no label.",
        "Which tokens are real is said by the mask alone. The end of a text is a real token.",
        "Drop the last logits and the first ids; multiply the mask without its end by the mask "
        "without its beginning; gather the labels' log-probabilities.",
    ),
    explanation="eos is not needed: comparing ids with it would hide the token that ends a text.",
)
def bug_next_token_sum(logits, ids, mask, eos):
    """Sum of the next-token losses over pairs of real tokens, and their number. -> (nats, count)"""
    log_q = torch.log_softmax(logits[:, :-1], dim=-1)
    losses = -log_q.gather(-1, ids[:, 1:, None])[..., 0]
    real = mask[:, :-1] * mask[:, 1:]
    return (losses * real).sum(), real.sum()


def _texts(lengths: list[int], side: str, seed: int):
    """Logits, ids, mask and eos = 8 of texts that end with eos, padded with eos on one side."""
    size, generator = max(lengths), torch.Generator().manual_seed(seed)
    ids = torch.full((len(lengths), size), 8)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        start = 0 if side == "right" else size - length
        text = torch.randint(8, (length - 1,), generator=generator)
        ids[row, start : start + length - 1] = text
        mask[row, start : start + length] = 1
    return normal(len(lengths), size, 9, seed=seed, scale=2.0), ids, mask, 8


_PACKED = torch.tensor([[0, 2, 8, 1, 3, 8], [4, 8, 0, 8, 2, 1]])  # 10 pairs, 4 of them end a text
bug_next_token_sum.probe("padding on the right", *_texts([6, 3, 4], "right", 701))
bug_next_token_sum.probe("padding on the left", *_texts([7, 2, 4], "left", 702))
bug_next_token_sum.probe("much padding", *_texts([9, 2, 2, 3], "right", 703))
bug_next_token_sum.probe("no padding", *_texts([5, 5], "right", 704))
bug_next_token_sum.probe(
    "texts packed into rows", normal(2, 6, 9, seed=705), _PACKED, torch.ones_like(_PACKED), 8
)


@bug_next_token_sum.symptom(
    "stop-token-masked",
    seen="where several texts stand in one row, the predictions of the stop token do not count",
    expected="the end of a text is a token to be learned",
)
def _(results):
    return float(results["texts packed into rows"][1]) in (6, 3)


@bug_next_token_sum.symptom(
    "padding-counted",
    seen="without padding the count is right; with padding, on one side or both, it is too large",
    expected="only pairs of two real tokens",
)
def _(results):
    more = results["padding on the right"][1] > 10 or results["padding on the left"][1] > 10
    return more and float(results["no padding"][1]) == 8


@bug_next_token_sum.also
def next_token_sum_in_loops(logits, ids, mask, eos):
    total, count = 0.0, 0
    for row, words, real in zip(logits, ids, mask):
        for t in range(len(words) - 1):
            if real[t] and real[t + 1]:
                total += float(F.cross_entropy(row[t], words[t + 1]))
                count += 1
    return total, count


def _summed(logits, labels, counted):
    losses = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return (losses * counted).sum(), counted.sum()


@bug_next_token_sum.wrong(
    "off-by-one",
    seen="logits and ids are not shifted: each position is asked for the token that it has read",
    expected="each position predicts its successor",
)
def next_token_unshifted(logits, ids, mask, eos):
    return _summed(logits, ids, mask)


@bug_next_token_sum.wrong(
    "off-by-one",
    seen="the shift goes backwards: each position is asked for the token before it",
    expected="a prediction of what has not been read yet",
)
def next_token_backwards(logits, ids, mask, eos):
    return _summed(logits[:, 1:], ids[:, :-1], mask[:, 1:] * mask[:, :-1])


@bug_next_token_sum.wrong(
    "off-by-one",
    seen="both logits and labels were shifted, so the token after the next is predicted",
    expected="a shift of one position in all",
)
def next_token_two_ahead(logits, ids, mask, eos):
    return _summed(logits[:, :-2], ids[:, 2:], mask[:, :-2] * mask[:, 2:])


@bug_next_token_sum.wrong(
    "padding-counted",
    seen="all neighbours count, also those that are padding",
    expected="sum and count that do not change when a batch is padded further",
)
def next_token_all(logits, ids, mask, eos):
    return _summed(logits[:, :-1], ids[:, 1:], torch.ones_like(mask[:, 1:]))


@bug_next_token_sum.wrong(
    "padding-counted",
    seen="the sum leaves padding out, but the count does not",
    expected="sum and count over the same pairs",
)
def next_token_counts_padding(logits, ids, mask, eos):
    total, _ = bug_next_token_sum.reference(logits, ids, mask, eos)
    return total, mask[:, 1:].numel()


@bug_next_token_sum.wrong(
    "padding-counted",
    seen="only the token read has to be real: the first padding after a text is predicted",
    expected="the predicted token is real as well",
)
def next_token_mask_of_read(logits, ids, mask, eos):
    return _summed(logits[:, :-1], ids[:, 1:], mask[:, :-1])


@bug_next_token_sum.wrong(
    "padding-counted",
    seen="only the predicted token has to be real: a first token is predicted from padding",
    expected="the token read is real as well, also where padding stands on the left",
)
def next_token_mask_of_predicted(logits, ids, mask, eos):
    return _summed(logits[:, :-1], ids[:, 1:], mask[:, 1:])


@bug_next_token_sum.wrong(
    "stop-token-masked",
    seen="labels equal to eos are left out: the student never learns to stop",
    expected="the mask alone says which tokens are real",
)
def next_token_without_eos(logits, ids, mask, eos):
    return _summed(logits[:, :-1], ids[:, 1:], (ids[:, 1:] != eos).long())


@bug_next_token_sum.wrong(
    "stop-token-masked",
    seen="the mask is used, and then labels equal to eos are taken out as well",
    expected="a stop token that stands inside the mask counts",
)
def next_token_mask_without_eos(logits, ids, mask, eos):
    real = mask[:, :-1] * mask[:, 1:] * (ids[:, 1:] != eos)
    return _summed(logits[:, :-1], ids[:, 1:], real)


@bug_next_token_sum.wrong(
    "mean-for-sum",
    seen="the first result is a mean already; it cannot be added up over batches",
    expected="a sum that grows with the number of pairs",
)
def next_token_mean(logits, ids, mask, eos):
    total, count = bug_next_token_sum.reference(logits, ids, mask, eos)
    return total / count, count


# Before the first step


@code(
    source=(),
    difficulty=3,
    minutes=10,
    prompt=(
        "Write `bug_ready_to_distil(teacher, student, teacher_ids, student_ids)`, a check before "
        "training. It returns four booleans, each True where all is well: no part of the teacher "
        "is in training mode; no parameter of the teacher asks for a gradient; the two models have "
        "no parameter memory in common (a student that began as a copy is fine); both tokenizers, "
        "given as dictionaries from token to id, agree."
    ),
    hints=(
        "Every question is about all parts: one layer, one parameter, one token can spoil it.",
        "Look through modules() and parameters(); two objects may still be one piece of memory.",
        "`p.data_ptr()` is the address of a parameter; collect the teacher's in a set. Two "
        "dictionaries can be compared as they are.",
    ),
    explanation="Dropout, gradients, sharing and tokenizers are four things; none implies another.",
)
def bug_ready_to_distil(teacher, student, teacher_ids, student_ids):
    """Whether the teacher is quiet, frozen, apart from the student, and reads the same ids."""
    quiet = not any(part.training for part in teacher.modules())
    frozen = not any(p.requires_grad for p in teacher.parameters())
    addresses = {p.data_ptr() for p in teacher.parameters()}
    apart = addresses.isdisjoint(p.data_ptr() for p in student.parameters())
    return quiet, frozen, apart, teacher_ids == student_ids


_FAULTS = {  # and which of the four results is False for it
    "all is well": None,
    "a teacher in training mode": 0,
    "one dropout layer in training mode": 0,
    "a teacher in eval mode that asks for gradients": 1,
    "one parameter that asks for a gradient": 1,
    "one module for both": 2,
    "a layer in common": 2,
    "a parameter made from the teacher's": 2,
    "a student that began as a copy": None,
    "the same tokens with other ids": 3,
    "the same ids for other tokens": 3,
    "one token more": 3,
}


def _models_with(fault: str):
    """Teacher, student and their tokenizers, sound but for one fault."""
    teacher = nn.Sequential(nn.Embedding(4, 3), nn.Dropout(0.1), nn.Linear(3, 4))
    student = nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 4))
    teacher.eval().requires_grad_(False)
    tokens = {"the": 0, "cat": 1, "sat": 2, "stop": 3}
    others = dict(reversed(tokens.items()))
    if fault == "a teacher in training mode":
        teacher.train()
    elif fault == "one dropout layer in training mode":
        teacher[1].train()
    elif fault == "a teacher in eval mode that asks for gradients":
        teacher.requires_grad_(True)
    elif fault == "one parameter that asks for a gradient":
        teacher[2].bias.requires_grad_(True)
    elif fault == "one module for both":
        student = teacher
    elif fault == "a layer in common":
        student[0] = teacher[0]
    elif fault == "a parameter made from the teacher's":
        student[1].weight = nn.Parameter(teacher[2].weight.data)
    elif fault == "a student that began as a copy":
        student = copy.deepcopy(teacher).train().requires_grad_(True)
    elif fault == "the same tokens with other ids":
        others = {"the": 0, "cat": 2, "sat": 1, "stop": 3}
    elif fault == "the same ids for other tokens":
        others = {"the": 0, "dog": 1, "sat": 2, "stop": 3}
    elif fault == "one token more":
        others = {**tokens, "mat": 4}
    return teacher, student, tokens, others


for _fault in _FAULTS:
    bug_ready_to_distil.probe(_fault, _fault, measure=lambda ready, f: ready(*_models_with(f)))

for _part, _id, _seen, _expected in (
    (
        0,
        "teacher-in-train-mode",
        "the first result is wrong for some of the teachers",
        "every layer has a mode of its own, and gradients have nothing to do with it",
    ),
    (
        1,
        "teacher-gets-gradient",
        "the second result is wrong for some of the teachers",
        "every parameter is asked, and eval mode has nothing to do with it",
    ),
    (
        2,
        "shared-module",
        "the third result is wrong for some pairs of models",
        "memory is what must not be shared; equal values may be",
    ),
    (
        3,
        "same-size-same-tokenizer",
        "the fourth result is wrong for some pairs of tokenizers",
        "each token has the same id on both sides, in whichever order they are listed",
    ),
):

    @bug_ready_to_distil.symptom(_id, seen=_seen, expected=_expected)
    def _(results, part=_part):
        well = {fault: spoilt != part for fault, spoilt in _FAULTS.items()}
        wrongly = [fault for fault in well if bool(results[fault][part]) != well[fault]]
        return bool(wrongly)


@bug_ready_to_distil.also
def ready_in_loops(teacher, student, teacher_ids, student_ids):
    results = [True, True, True, len(teacher_ids) == len(student_ids)]
    for part in teacher.modules():
        results[0] &= not part.training
    for p in teacher.parameters():
        results[1] &= not p.requires_grad
        for q in student.parameters():
            results[2] &= p.untyped_storage().data_ptr() != q.untyped_storage().data_ptr()
    for token, number_ in teacher_ids.items():
        results[3] &= student_ids.get(token) == number_
    return results


def _with(index, value, *models):
    """The right results but for one of them."""
    results = list(bug_ready_to_distil.reference(*models))
    results[index] = value
    return results


@bug_ready_to_distil.wrong(
    "teacher-in-train-mode",
    seen="only the outermost module's mode is read; a dropout layer inside goes unnoticed",
    expected="layers keep their own modes, and each can differ",
)
def ready_outermost_mode(teacher, student, *ids):
    return _with(0, not teacher.training, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "teacher-gets-gradient",
    seen="eval mode is taken for frozen: a teacher in eval mode may still ask for gradients",
    expected="a question to the parameters, not to the mode",
)
def ready_eval_for_frozen(teacher, student, *ids):
    return _with(1, not teacher.training, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "teacher-gets-gradient",
    seen="only the first parameter is asked",
    expected="all parameters are asked",
)
def ready_first_parameter(teacher, student, *ids):
    return _with(1, not next(teacher.parameters()).requires_grad, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "shared-module",
    seen="only the whole models are compared; a layer in common goes unnoticed",
    expected="no single parameter in common",
)
def ready_not_same_model(teacher, student, *ids):
    return _with(2, teacher is not student, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "shared-module",
    seen="parameter objects are compared; a new object around the teacher's numbers goes unnoticed",
    expected="the memory below the objects is compared",
)
def ready_not_same_objects(teacher, student, *ids):
    known = {id(p) for p in teacher.parameters()}
    apart = known.isdisjoint(id(p) for p in student.parameters())
    return _with(2, apart, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "shared-module",
    seen="values are compared; a student that began as a copy is refused",
    expected="equal numbers in two places are no sharing",
)
def ready_not_same_values(teacher, student, *ids):
    same = any(
        p.shape == q.shape and torch.equal(p, q)
        for p in teacher.parameters()
        for q in student.parameters()
    )
    return _with(2, not same, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "same-size-same-tokenizer",
    seen="vocabularies of equal size pass, whatever they contain",
    expected="each token has the same id on both sides",
)
def ready_same_size(teacher, student, teacher_ids, student_ids):
    same = len(teacher_ids) == len(student_ids)
    return _with(3, same, teacher, student, teacher_ids, student_ids)


@bug_ready_to_distil.wrong(
    "same-size-same-tokenizer",
    seen="the same tokens pass also where their ids are permuted",
    expected="the ids are compared too",
)
def ready_same_tokens(teacher, student, teacher_ids, student_ids):
    same = set(teacher_ids) == set(student_ids)
    return _with(3, same, teacher, student, teacher_ids, student_ids)


@bug_ready_to_distil.wrong(
    "sign-flipped",
    seen="all four results say the opposite: True where something is wrong",
    expected="True where all is well",
)
def ready_inverted(*everything):
    return [not fine for fine in bug_ready_to_distil.reference(*everything)]


# Which slots of the vocabulary count


@code(
    source=(),
    difficulty=2,
    minutes=8,
    prompt=(
        "Output layers are rounded up to handy sizes, and not to the same. Teacher and student "
        "share a tokenizer with `words` tokens, whose ids come first; the slots after these belong "
        "to no token, and their logits mean nothing. Write "
        "`bug_padded_kl(teacher_logits, student_logits, words)`: the KL from teacher "
        "to student at each position, over the tokens that exist."
    ),
    hints=(
        "A token that does not exist must have probability 0 in both models.",
        "Taking a slot out of a softmax is not the same as dropping its probability afterwards.",
        "Slice both logits to `[..., :words]` first; then log-softmax, and the usual sum.",
    ),
)
def bug_padded_kl(teacher_logits, student_logits, words):
    """KL from teacher to student over the tokens that exist. (..., V1), (..., V2) -> (...)"""
    log_p = torch.log_softmax(teacher_logits[..., :words], dim=-1)
    log_q = torch.log_softmax(student_logits[..., :words], dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def _logits(*shape: int, seed: int):
    """Logits around -8, as trained models have them: a 0 among them would take nearly all mass."""
    return normal(*shape, seed=seed, scale=1.5) - 8.0


bug_padded_kl.probe("teacher padded further", _logits(3, 8, seed=721), _logits(3, 6, seed=722), 5)
bug_padded_kl.probe("student padded", _logits(2, 3, 6, seed=723), _logits(2, 3, 11, seed=724), 6)
bug_padded_kl.probe("both padded alike", _logits(4, 9, seed=725), _logits(4, 9, seed=726), 7)
bug_padded_kl.probe("no padding", _logits(2, 5, seed=727), _logits(2, 5, seed=728), 5)
bug_padded_kl.probe(
    "equal on the tokens that exist",
    torch.cat([_logits(2, 4, seed=729), _logits(2, 3, seed=730)], dim=-1),
    torch.cat([_logits(2, 4, seed=729), _logits(2, 1, seed=731)], dim=-1),
    4,
)


@bug_padded_kl.also
def padded_kl_masked(teacher_logits, student_logits, words):
    def probabilities(logits):
        absent = torch.arange(logits.shape[-1]) >= words
        return torch.softmax(logits.masked_fill(absent, -math.inf), dim=-1)[..., :words]

    p, q = probabilities(teacher_logits), probabilities(student_logits)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)


def _kl(p_logits, q_logits):
    log_p, log_q = p_logits.log_softmax(dim=-1), q_logits.log_softmax(dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def _filled(logits, size, value=0.0):
    return F.pad(logits, (0, size - logits.shape[-1]), value=value)


@bug_padded_kl.wrong(
    "vocab-padded-with-zero",
    seen="the narrower logits are filled up with 0; nearly all mass goes to the new slots",
    expected="an absent token has probability 0, and 0 is no low logit",
)
def padded_kl_filled(teacher_logits, student_logits, words):
    size = max(teacher_logits.shape[-1], student_logits.shape[-1])
    return _kl(_filled(teacher_logits, size), _filled(student_logits, size))


@bug_padded_kl.wrong(
    "vocab-padded-with-zero",
    seen="all slots after the tokens are set to the logit 0, in both models",
    expected="slots without a token take no mass",
)
def padded_kl_zeroed(teacher_logits, student_logits, words):
    size = max(teacher_logits.shape[-1], student_logits.shape[-1])
    return _kl(
        _filled(teacher_logits[..., :words], size), _filled(student_logits[..., :words], size)
    )


@bug_padded_kl.wrong(
    "unused-slots-counted",
    seen="both are cut to the narrower of the two, which still has slots without a token",
    expected="the tokenizer says how many slots there are, not a model",
)
def padded_kl_cut_to_shorter(teacher_logits, student_logits, words):
    size = min(teacher_logits.shape[-1], student_logits.shape[-1])
    return _kl(teacher_logits[..., :size], student_logits[..., :size])


@bug_padded_kl.wrong(
    "rest-not-renormalised",
    seen="softmax runs over all slots and is cut afterwards: the rows sum to less than 1",
    expected="two distributions over the same tokens",
)
def padded_kl_cut_late(teacher_logits, student_logits, words):
    log_p = teacher_logits.log_softmax(dim=-1)[..., :words]
    log_q = student_logits.log_softmax(dim=-1)[..., :words]
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


@bug_padded_kl.wrong(
    "zero-log-zero",
    seen="absent slots get minus infinity and stay in the sum, where 0 times infinity gives NaN",
    expected="a slot with probability 0 adds nothing",
)
def padded_kl_nan(teacher_logits, student_logits, words):
    size = 1 + max(teacher_logits.shape[-1], student_logits.shape[-1])
    return _kl(
        _filled(teacher_logits[..., :words], size, -math.inf),
        _filled(student_logits[..., :words], size, -math.inf),
    )


@bug_padded_kl.wrong(
    "kl-reversed",
    seen="the log-ratios are weighed with the student's probabilities",
    expected="the KL from the teacher",
)
def padded_kl_reversed(teacher_logits, student_logits, words):
    return _kl(student_logits[..., :words], teacher_logits[..., :words])


@bug_padded_kl.wrong(
    "ce-called-kl",
    seen="models that agree on all tokens do not get 0",
    expected="0 where both agree on the tokens that exist",
)
def padded_kl_cross_entropy(teacher_logits, student_logits, words):
    p, log_q = teacher_logits[..., :words].softmax(-1), student_logits[..., :words].log_softmax(-1)
    return -(p * log_q).sum(dim=-1)


@bug_padded_kl.wrong(
    "batch-for-row",
    seen="there is one mean for the whole batch",
    expected="one value for each position",
)
def padded_kl_mean(teacher_logits, student_logits, words):
    return bug_padded_kl.reference(teacher_logits, student_logits, words).mean()


# One step over several micro-batches


@code(
    source=(),
    difficulty=3,
    minutes=8,
    prompt=(
        "The batch of one step does not fit into memory, so it comes in micro-batches: a list of "
        "1-d tensors, the token losses of each, still in the student's graph. They differ in size, "
        "and one may be empty. Write `bug_accumulate(micro_batches)`: call backward() so that the "
        "student's gradient is that of the mean over all tokens, and return this mean."
    ),
    hints=(
        "How the batch is cut into micro-batches must not change the gradient.",
        "Gradients add up over calls of backward(), so divide each sum by one common count.",
        "Count the tokens of all micro-batches first; then backward() of each sum / that count.",
    ),
    explanation="The count must be known before the first backward(): read the masks first.",
)
def bug_accumulate(micro_batches):
    """Backpropagate the mean over all tokens, batch by batch, and return it. -> nats per token"""
    count = sum(len(losses) for losses in micro_batches)
    for losses in micro_batches:
        (losses.sum() / count).backward()
    return sum(float(losses.sum()) for losses in micro_batches) / count


def _gradient_and_value(answer, sizes, seed):
    """What arrives in three parameters of the student, and what is returned."""
    student = normal(3, seed=seed).requires_grad_()
    inputs = [normal(size, 3, seed=seed + 1 + i) for i, size in enumerate(sizes)]
    value = answer([(x @ student) ** 2 + 0.5 for x in inputs])
    if value is None:
        return None
    gradient = torch.zeros(3) if student.grad is None else student.grad
    return gradient, value


for _sizes in ([1, 9], [4, 2, 7], [6], [3, 5], [2, 2, 2, 1]):
    _name = "micro-batches of " + ", ".join(map(str, _sizes))
    bug_accumulate.probe(_name, _sizes, 740 + sum(_sizes), measure=_gradient_and_value)
bug_accumulate.probe(
    "an empty micro-batch",
    [5, 0, 3],
    760,
    measure=_gradient_and_value,
    points_to="mean-of-means",
    expected="a micro-batch without tokens adds nothing; its own mean does not exist",
)


@bug_accumulate.also
def accumulate_at_once(micro_batches):
    mean = torch.cat(micro_batches).mean()
    mean.backward()
    return mean


def _mean_of(micro_batches):
    with torch.no_grad():
        return torch.cat(micro_batches).mean()


def _accumulated(micro_batches, loss_of):
    for losses in micro_batches:
        loss_of(losses).backward()
    return _mean_of(micro_batches)


@bug_accumulate.wrong(
    "mean-of-means",
    seen="the means of the micro-batches are averaged: one token alone weighs as much as nine",
    expected="every token weighs the same",
)
def accumulate_means(micro_batches):
    means = [losses.mean() / len(micro_batches) for losses in micro_batches]
    sum(means).backward()
    return sum(means)


@bug_accumulate.wrong(
    "mean-of-means",
    seen="the value is the mean over all tokens, but the gradient is that of averaged means",
    expected="a gradient that belongs to the value",
)
def accumulate_means_silently(micro_batches):
    return _accumulated(micro_batches, lambda losses: losses.mean() / len(micro_batches))


@bug_accumulate.wrong(
    "sum-for-mean",
    seen="the gradient is that of the sum: it grows with the number of tokens",
    expected="the gradient of a mean",
)
def accumulate_sums(micro_batches):
    return _accumulated(micro_batches, lambda losses: losses.sum())


@bug_accumulate.wrong(
    "divided-twice",
    seen="means of micro-batches are divided by the number of all tokens",
    expected="each loss is divided by one count, once",
)
def accumulate_divided_twice(micro_batches):
    count = sum(map(len, micro_batches))
    return _accumulated(micro_batches, lambda losses: losses.mean() / count)


@bug_accumulate.wrong(
    "wrong-size-in-mean",
    seen="sums are divided by the number of micro-batches",
    expected="a division by the number of tokens",
)
def accumulate_per_micro_batch(micro_batches):
    return _accumulated(micro_batches, lambda losses: losses.sum() / len(micro_batches))


@bug_accumulate.wrong(
    "student-gets-no-gradient",
    seen="the value is right, and no gradient has arrived in the student",
    expected="a student that learns from every micro-batch",
)
def accumulate_nothing(micro_batches):
    return _mean_of(micro_batches)


@bug_accumulate.wrong(
    "term-left-out",
    seen="only the last micro-batch reaches the student",
    expected="every micro-batch reaches the student",
)
def accumulate_last(micro_batches):
    count = sum(map(len, micro_batches))
    (micro_batches[-1].sum() / count).backward()
    return _mean_of(micro_batches)


# What is reported


@code(
    source=(),
    difficulty=2,
    minutes=6,
    prompt=(
        "A model's token losses on a text sum to `nats`, over `tokens` tokens. Write "
        "`bug_two_scores(nats, tokens, text)`: the perplexity per token, and the bits per byte of "
        "the text in UTF-8, which may be compared between models of different tokenizers."
    ),
    hints=(
        "One score is an exponential of a mean, the other is a sum in another unit over a length.",
        "A bit is ln 2 nats. An accented letter is one character and two bytes.",
        "math.exp of the mean loss; nats over math.log(2) over the length of text.encode().",
    ),
)
def bug_two_scores(nats, tokens, text):
    """Perplexity per token, and bits per byte of the UTF-8 text. -> two numbers"""
    return math.exp(nats / tokens), nats / (math.log(2) * len(text.encode("utf-8")))


bug_two_scores.probe("plain English", 21.5, 7, "The cat sat on the mat.")
bug_two_scores.probe("accented letters", 30.25, 9, "Käse für zwölf Brötchen, à part!")
bug_two_scores.probe("three bytes a letter", 12.0, 5, "猫が座った")
bug_two_scores.probe("a longer text", 88.8, 40, "je suis content, tu es content; " * 4)


@bug_two_scores.also
def two_scores_powers(nats, tokens, text):
    bits = nats * math.log2(math.e)
    return 2 ** (bits / tokens), bits / len(bytearray(text, "utf-8"))


def _scores(perplexity=None, bits_per_byte=None):
    """A named mistake in one of the two results."""

    def scores(nats, tokens, text):
        one, two = bug_two_scores.reference(nats, tokens, text)
        size = len(text.encode())
        one = perplexity(nats, tokens, size) if perplexity else one
        return one, bits_per_byte(nats, tokens, size, text) if bits_per_byte else two

    return scores


for _id, _seen, _expected, _example in (
    (
        "sum-for-mean",
        "the perplexity explodes with the length of the text",
        "a perplexity that belongs to one token",
        _scores(lambda n, t, b: math.exp(n)),
    ),
    (
        "nats-for-bits",
        "2 is raised to a power that is in nats",
        "base and unit that belong together",
        _scores(lambda n, t, b: 2 ** (n / t)),
    ),
    (
        "log-for-probability",
        "the first result is the mean loss, the logarithm of what is asked",
        "the number of equally likely tokens that would be as hard to guess among",
        _scores(lambda n, t, b: n / t),
    ),
    (
        "sign-flipped",
        "the perplexity is below 1: it is the typical probability of a token",
        "a number of at least 1, larger for a worse model",
        _scores(lambda n, t, b: math.exp(-n / t)),
    ),
    (
        "nats-for-bits",
        "the second result is in nats",
        "bits, of which there are more than nats",
        _scores(None, lambda n, t, b, text: n / b),
    ),
    (
        "nats-for-bits",
        "the conversion to bits goes the wrong way: the number gets smaller",
        "more bits than nats, since a bit is the smaller unit",
        _scores(None, lambda n, t, b, text: n * math.log(2) / b),
    ),
    (
        "characters-for-bytes",
        "the second result is per character; it is right only where a letter is one byte",
        "the text as UTF-8 stores it",
        _scores(None, lambda n, t, b, text: n / math.log(2) / len(text)),
    ),
    (
        "wrong-size-in-mean",
        "the second result is per token, so another tokenizer would change it",
        "a length that no tokenizer decides",
        _scores(None, lambda n, t, b, text: n / math.log(2) / t),
    ),
    (
        "sum-for-mean",
        "the second result grows with the length of the text",
        "bits for one byte",
        _scores(None, lambda n, t, b, text: n / math.log(2)),
    ),
    (
        "ratio-turned-round",
        "the second result falls as the model gets worse: bytes per bit",
        "bits for one byte, more of them for a worse model",
        _scores(None, lambda n, t, b, text: b * math.log(2) / n),
    ),
):
    bug_two_scores.wrong(_id, seen=_seen, expected=_expected)(_example)


_TEACHER, _STUDENT, _EQUAL_STEPS, _EQUAL_TIME = 3.10, 3.35, 3.90, 3.70


@number(
    source=("Q05",),
    difficulty=2,
    minutes=4,
    decimals=2,
    prompt=(
        f"Losses on the test texts, in nats per token: teacher {_TEACHER:.2f}, distilled student "
        f"{_STUDENT:.2f}; the same student without a teacher {_EQUAL_STEPS:.2f} after as many "
        f"steps, and {_EQUAL_TIME:.2f} after as much time. Which fraction of the gap between the "
        "equal-steps control and the teacher does distillation close?"
    ),
    hints=(
        "0 would be no better than the control, 1 as good as the teacher.",
        "Two differences, both measured from the control.",
        "(control - student) / (control - teacher), with the control of equal steps.",
    ),
    explanation="Beside it belongs the same fraction for the control of equal time.",
)
def share_of_the_gap():
    """The fraction of the gap from control to teacher that the student closes."""
    return (3.90 - 3.35) / (3.90 - 3.10)


_GAP = _EQUAL_STEPS - _TEACHER
for _id, _value, _seen, _expected in (
    (
        "unequal-budget",
        (_EQUAL_TIME - _STUDENT) / (_EQUAL_TIME - _TEACHER),
        "the value belongs to the control of equal time",
        "the control of equal steps",
    ),
    (
        "argmax-sign",
        (_STUDENT - _TEACHER) / _GAP,
        "the value is the part of the gap that stays open; less of it would be better",
        "the part that is closed",
    ),
    (
        "perplexity-for-loss",
        math.expm1(_EQUAL_STEPS - _STUDENT) * math.exp(_STUDENT - _TEACHER) / math.expm1(_GAP),
        "the gaps are taken between perplexities",
        "gaps between losses in nats",
    ),
    (
        "whole-for-part",
        (_EQUAL_STEPS - _STUDENT) / _EQUAL_STEPS,
        "the gain is divided by the control's whole loss, which nobody can bring to 0",
        "a division by what there is to gain: the gap",
    ),
    (
        "whole-for-part",
        _TEACHER / _STUDENT,
        "two losses are divided; a student as bad as the control would still look good",
        "differences from the control",
    ),
    (
        "ratio-and-difference",
        _EQUAL_STEPS - _STUDENT,
        "the value is the gain in nats",
        "a fraction of the gap",
    ),
    (
        "ratio-turned-round",
        _GAP / (_EQUAL_STEPS - _STUDENT),
        "the value is above 1, as if the student had passed its teacher",
        "the gain over the whole gap, not the other way round",
    ),
):
    share_of_the_gap.wrong(_id, _value, seen=_seen, expected=_expected)
