"""Exercises of chapter 2: the objective (Q06-Q13)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from kdlib.exercises.choices import choice, right, wrong
from kdlib.exercises.derivations import derivation
from kdlib.exercises.functions import code
from kdlib.exercises.inputs import distributions, log_distributions, normal
from kdlib.exercises.numbers import number

# The objective: a sum over the simplified inputs


@code(
    source=("Q06",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `dataset_loss(log_p, log_q)`: the objective's value on a data set of N inputs, with "
        "KL(P||Q) as the loss. Both arguments are log-probabilities (N, V), teacher first. The "
        "teacher may hold exact zeros, that is, log-probabilities of minus infinity."
    ),
    hints=(
        "The objective is a sum over inputs; the loss of one input is a sum over outputs.",
        "Weigh the log-ratio of the two distributions with the teacher's probabilities.",
        "p * (log_p - log_q), with 0 where p is 0, summed over everything.",
    ),
)
def dataset_loss(log_p, log_q):
    """Sum over the data set of KL(P||Q), in nats. (N, V), (N, V) -> scalar"""
    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p))
    return terms.sum()


def _pair(rows: int, words: int, seed: int, scale: float = 1.5):
    return (
        log_distributions(rows, words, seed=seed, scale=scale),
        log_distributions(rows, words, seed=seed + 500, scale=scale),
    )


dataset_loss.probe("three inputs, five words", *_pair(3, 5, seed=1))
dataset_loss.probe("seven inputs, two words", *_pair(7, 2, seed=2))
dataset_loss.probe("one input", *_pair(1, 4, seed=3))
dataset_loss.probe("a perfect student", *2 * _pair(4, 3, seed=4)[:1])
dataset_loss.probe(
    "a teacher with exact zeros",
    torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.25, 0.25]]).log(),
    _pair(2, 3, seed=5)[1],
    points_to="zero-log-zero",
    expected="what the teacher never does adds nothing",
)
dataset_loss.probe(
    "a student that rules out what the teacher does",
    torch.tensor([[0.5, 0.5, 0.0]]).log(),
    torch.tensor([[0.75, 0.0, 0.25]]).log(),
    points_to="zero-log-zero",
    expected="an infinite loss: no finite number of nats makes up for an impossible word",
)


@dataset_loss.also
def dataset_loss_in_loops(log_p, log_q):
    total = 0.0
    for row_p, row_q in zip(log_p.tolist(), log_q.tolist()):
        for a, b in zip(row_p, row_q):
            total += math.exp(a) * (a - b) if a > -math.inf else 0.0
    return total


@dataset_loss.also
def dataset_loss_torch(log_p, log_q):
    return F.kl_div(log_q, log_p.exp(), reduction="sum")


@dataset_loss.wrong(
    "kl-reversed",
    seen="the log-ratios are weighed with the student's probabilities",
    expected="the teacher says how much each output matters",
)
def dataset_loss_reversed(log_p, log_q):
    return dataset_loss.reference(log_q, log_p)


@dataset_loss.wrong(
    "ce-called-kl",
    seen="a perfect student still has a loss",
    expected="a loss of 0 when student and teacher agree",
)
def dataset_loss_cross_entropy(log_p, log_q):
    p = log_p.exp()
    return -torch.where(p > 0, p * log_q, torch.zeros_like(p)).sum()


@dataset_loss.wrong(
    "mean-for-sum",
    seen="the loss does not grow when inputs are added: it is divided by their number",
    expected="a sum over the data set",
)
def dataset_loss_mean(log_p, log_q):
    return dataset_loss.reference(log_p, log_q) / len(log_p)


@dataset_loss.wrong(
    "mean-over-vocab",
    seen="the loss is divided by the number of all entries, words included",
    expected="a sum over words and over inputs",
)
def dataset_loss_mean_of_everything(log_p, log_q):
    return dataset_loss.reference(log_p, log_q) / log_p.numel()


@dataset_loss.wrong(
    "mean-over-vocab",
    seen="the loss is divided by the size of the vocabulary",
    expected="a sum over the words",
)
def dataset_loss_mean_of_words(log_p, log_q):
    return dataset_loss.reference(log_p, log_q) / log_p.shape[-1]


@dataset_loss.wrong(
    "hard-for-soft",
    seen="only the teacher's first choice for each input enters",
    expected="every word enters with the teacher's probability",
)
def dataset_loss_hard(log_p, log_q):
    return F.nll_loss(log_q, log_p.argmax(dim=-1), reduction="sum")


@dataset_loss.wrong(
    "zero-log-zero",
    seen="a teacher with an exact zero gives NaN",
    expected="0 log 0 counts as 0",
)
def dataset_loss_nan(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum()


@dataset_loss.wrong(
    "zero-log-zero",
    seen="a student that rules out what the teacher does gets a finite loss",
    expected="infinity stays infinity; a repaired value would hide a broken student",
)
def dataset_loss_repaired(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).nan_to_num(0.0, 0.0, 0.0).sum()


@dataset_loss.wrong(
    "probs-for-log-probs",
    seen="log-probabilities are treated as probabilities: a logarithm of them is taken",
    expected="the arguments are logarithms already",
)
def dataset_loss_of_log(log_p, log_q):
    return (log_p * (log_p.abs().log() - log_q.abs().log())).sum()


@dataset_loss.wrong(
    "probs-for-log-probs",
    seen="the student's log-probabilities are turned into probabilities where logarithms belong",
    expected="a difference of logarithms",
)
def dataset_loss_of_probabilities(log_p, log_q):
    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q.exp()), torch.zeros_like(p))
    return terms.sum()


@dataset_loss.wrong(
    "weights-missing",
    seen="log-ratios are added without weights",
    expected="each log-ratio is weighed with a probability",
)
def dataset_loss_unweighted(log_p, log_q):
    return (log_p - log_q).sum()


@dataset_loss.wrong(
    "entropy-for-cross-entropy",
    seen="the loss does not change when the student does",
    expected="a value that depends on both models",
)
def dataset_loss_entropy(log_p, log_q):
    return torch.special.entr(log_p.exp()).sum()


@dataset_loss.wrong(
    "batch-for-row",
    seen="there is one value for each input",
    expected="one value for the data set",
)
def dataset_loss_rows(log_p, log_q):
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p)).sum(dim=-1)


@code(
    source=("Q06",),
    difficulty=4,
    minutes=12,
    prompt=(
        "Write `distillation_loss(teacher_logits, student_logits, temperature)` for logits "
        "(B, L, V): soften both, take KL(P||Q) at every position, average over all B * L positions, "
        "and keep the size of the gradient as the temperature grows. Logits may be huge."
    ),
    hints=(
        "Three separate questions: what is divided by the temperature, what is summed, what averaged?",
        "The gradient of the softened KL falls like 1 / T^2 for a high temperature.",
        "Softened log-softmax for both, sum over V, mean over B and L, times a power of T.",
    ),
    explanation="With T^2 one may change the temperature without changing the learning rate.",
)
def distillation_loss(teacher_logits, student_logits, temperature):
    """Mean over positions of the softened KL(P||Q), its gradient kept in size. (B, L, V) twice -> scalar"""
    log_p = torch.log_softmax(teacher_logits / temperature, dim=-1)
    log_q = torch.log_softmax(student_logits / temperature, dim=-1)
    per_position = (log_p.exp() * (log_p - log_q)).sum(dim=-1)
    return temperature**2 * per_position.mean()


def _logits(*shape: int, seed: int, scale: float = 2.0):
    return normal(*shape, seed=seed, scale=scale), normal(*shape, seed=seed + 500, scale=scale)


distillation_loss.probe("temperature 1", *_logits(3, 7, 5, seed=11), 1.0)
distillation_loss.probe("temperature 4", *_logits(2, 5, 3, seed=12), 4.0)
distillation_loss.probe("temperature 1/2", *_logits(4, 2, 6, seed=13), 0.5)
distillation_loss.probe("one long sequence", *_logits(1, 9, 4, seed=14), 2.0)
distillation_loss.probe("a perfect student", *2 * _logits(2, 3, 4, seed=15)[:1], 2.0)
distillation_loss.probe(
    "huge logits",
    _logits(2, 3, 4, seed=16, scale=2000.0)[0],
    normal(2, 3, 4, seed=17) + 5000.0,
    3.0,
    points_to="softmax-overflow",
    expected="a finite loss, however large the logits are",
)


@distillation_loss.also
def distillation_loss_torch(teacher_logits, student_logits, temperature):
    words = teacher_logits.shape[-1]
    log_q = F.log_softmax(student_logits / temperature, dim=-1).reshape(-1, words)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1).reshape(-1, words)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True) * temperature**2


def _softened(teacher_logits, student_logits, temperature):
    log_p = torch.log_softmax(teacher_logits / temperature, dim=-1)
    return log_p, torch.log_softmax(student_logits / temperature, dim=-1)


@distillation_loss.wrong(
    "missing-t-squared",
    seen="at T = 4 the loss and its gradient are 16 times too small",
    expected="a gradient of about the same size at every temperature",
)
def loss_without_t_squared(teacher_logits, student_logits, temperature):
    return distillation_loss.reference(teacher_logits, student_logits, temperature) / temperature**2


@distillation_loss.wrong(
    "missing-t-squared",
    seen="at T = 4 the gradient is 4 times too small: one factor T is there, one is missing",
    expected="a gradient whose size stays the same: both divisions by T have an effect on it",
)
def loss_with_one_t(teacher_logits, student_logits, temperature):
    return distillation_loss.reference(teacher_logits, student_logits, temperature) / temperature


@distillation_loss.wrong(
    "batchmean-over-sequences",
    seen="the loss grows with the length of the sequences: it is divided by the batch size only",
    expected="a mean over all positions",
)
def loss_per_sequence(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return F.kl_div(log_q, log_p.exp(), reduction="batchmean") * temperature**2


@distillation_loss.wrong(
    "mean-over-vocab",
    seen="the larger the vocabulary, the smaller the loss",
    expected="a sum over the vocabulary",
)
def loss_mean_of_everything(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return (log_p.exp() * (log_p - log_q)).mean() * temperature**2


@distillation_loss.wrong(
    "sum-for-mean",
    seen="the loss grows with the number of positions",
    expected="a mean over positions",
)
def loss_sum(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return F.kl_div(log_q, log_p.exp(), reduction="sum") * temperature**2


@distillation_loss.wrong(
    "wrong-size-in-mean",
    seen="the loss is divided by the length but not by the batch size",
    expected="every position counts once, in whichever sequence it stands",
)
def loss_per_length(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return (log_p.exp() * (log_p - log_q)).sum() / log_p.shape[1] * temperature**2


@distillation_loss.wrong(
    "kl-reversed",
    seen="the student's probabilities are the weights",
    expected="KL(P||Q), with the teacher's probabilities as the weights",
)
def loss_reversed(teacher_logits, student_logits, temperature):
    return distillation_loss.reference(student_logits, teacher_logits, temperature)


@distillation_loss.wrong(
    "ce-called-kl",
    seen="a perfect student still has a loss",
    expected="0 for a perfect student",
)
def loss_cross_entropy(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return -(log_p.exp() * log_q).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "temperature-one-side",
    seen="only the teacher is softened; equal logits do not give 0",
    expected="the same temperature for both models",
)
def loss_soft_teacher(teacher_logits, student_logits, temperature):
    log_p = torch.log_softmax(teacher_logits / temperature, dim=-1)
    log_q = torch.log_softmax(student_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "temperature-one-side",
    seen="only the student is softened; equal logits do not give 0",
    expected="one temperature, the same for teacher and student",
)
def loss_soft_student(teacher_logits, student_logits, temperature):
    log_p = torch.log_softmax(teacher_logits, dim=-1)
    log_q = torch.log_softmax(student_logits / temperature, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "temperature-ignored",
    seen="neither model is softened; only the factor depends on the temperature",
    expected="distributions that change with the temperature",
)
def loss_unsoftened(teacher_logits, student_logits, temperature):
    unsoftened = distillation_loss.reference(teacher_logits, student_logits, 1.0)
    return unsoftened * temperature**2


@distillation_loss.wrong(
    "temperature-inverted",
    seen="a higher temperature makes both distributions sharper",
    expected="a higher temperature makes them flatter",
)
def loss_inverted(teacher_logits, student_logits, temperature):
    sharp = distillation_loss.reference(teacher_logits, student_logits, 1 / temperature)
    return sharp * temperature**4


@distillation_loss.wrong(
    "probs-for-log-probs",
    seen="the loss is negative: the student's probabilities stand where logarithms are expected",
    expected="a loss of at least 0",
)
def loss_of_probabilities(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    per_position = (log_p.exp() * (log_p - log_q.exp())).sum(dim=-1)
    return per_position.mean() * temperature**2


@distillation_loss.wrong(
    "hard-for-soft",
    seen="only the teacher's first choice matters",
    expected="the softened distribution of the teacher matters",
)
def loss_hard(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    top = F.one_hot(log_p.argmax(dim=-1), log_p.shape[-1])
    return -(top * log_q).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "hard-for-soft",
    seen="the ordinary loss on labels, with the teacher's first choices as labels",
    expected="targets that say how likely every word is, softened",
)
def loss_labels(teacher_logits, student_logits, temperature):
    words = student_logits.shape[-1]
    return F.cross_entropy(student_logits.reshape(-1, words), teacher_logits.argmax(-1).reshape(-1))


@distillation_loss.wrong(
    "softmax-wrong-axis",
    seen="the distributions run along the sequence, not over the vocabulary",
    expected="one distribution for each position",
)
def loss_wrong_axis(teacher_logits, student_logits, temperature):
    log_p = torch.log_softmax(teacher_logits / temperature, dim=1)
    log_q = torch.log_softmax(student_logits / temperature, dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "softmax-wrong-axis",
    seen="both the softmax and the sum run along the sequence",
    expected="the vocabulary is what a distribution runs over",
)
def loss_along_the_sequence(teacher_logits, student_logits, temperature):
    swapped = teacher_logits.transpose(1, 2), student_logits.transpose(1, 2)
    return distillation_loss.reference(*swapped, temperature)


@distillation_loss.wrong(
    "logits-for-probabilities",
    seen="the logits themselves are compared, by their squared distance",
    expected="a divergence between two distributions",
)
def loss_squared(teacher_logits, student_logits, temperature):
    return F.mse_loss(student_logits, teacher_logits)


@distillation_loss.wrong(
    "logits-for-probabilities",
    seen="softened logits are compared, by their squared distance",
    expected="a divergence of the distributions that belong to these logits",
)
def loss_squared_softened(teacher_logits, student_logits, temperature):
    return F.mse_loss(student_logits / temperature, teacher_logits / temperature)


@distillation_loss.wrong(
    "softmax-overflow",
    seen="right for small logits, not finite for huge ones",
    expected="log-probabilities that never pass through exp() of a large number",
)
def loss_overflowing(teacher_logits, student_logits, temperature):
    p = torch.softmax(teacher_logits / temperature, dim=-1)
    q = torch.softmax(student_logits / temperature, dim=-1)
    return (p * (p.log() - q.log())).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "batch-for-row",
    seen="there is one value for each position",
    expected="one value for the batch",
)
def loss_each_position(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1) * temperature**2


# Full inputs and simplified inputs


@code(
    source=("Q07",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Distilling a prompt needs inputs in pairs. Write `training_pairs(data, short_context)`: "
        "`data` is a list of pairs (context, user input), and the result a list, in the same order, of "
        "pairs (what the teacher reads, what the student reads). A model reads the context and the "
        "user's input with one space between them, and only the user's input if its context is empty."
    ),
    hints=(
        "One of the two models keeps the long context. Which one has to live without it later?",
        "The context changes, the user's input is in both.",
        "Build both texts with `' '.join(...)` of the parts that are not empty.",
    ),
)
def training_pairs(data, short_context):
    """Pairs (teacher's text, student's text), in the order of the data."""
    pairs = []
    for context, user_input in data:
        teacher_text = " ".join(filter(None, (context, user_input)))
        student_text = " ".join(filter(None, (short_context, user_input)))
        pairs.append((teacher_text, student_text))
    return pairs


_DATA = [("Translate to French, politely:", "good morning"), ("Be brief.", "why is the sky blue?")]
training_pairs.probe("a short context", _DATA, "Translate:")
training_pairs.probe("an empty context", _DATA, "")
training_pairs.probe("three inputs", [*_DATA, ("Answer in rhyme:", "who are you?")], "Answer:")
training_pairs.probe("a teacher without context", [("", "hello"), ("Be kind.", "hi")], "Be:")


@training_pairs.also
def training_pairs_with_if(data, short_context):
    def text(context, user_input):
        return f"{context} {user_input}" if context else user_input

    return [[text(c, z), text(short_context, z)] for c, z in data]


@training_pairs.wrong(
    "full-input-for-student",
    seen="the student reads the long context as well",
    expected="the student reads what it will get in use",
)
def training_pairs_full(data, short_context):
    return [(t, t) for t, _ in training_pairs.reference(data, short_context)]


@training_pairs.wrong(
    "simple-input-for-teacher",
    seen="the teacher reads the short context, so there is nothing to hand on",
    expected="the teacher reads the context that is to be compressed",
)
def training_pairs_simple(data, short_context):
    return [(s, s) for _, s in training_pairs.reference(data, short_context)]


@training_pairs.wrong(
    "simple-input-for-teacher",
    seen="teacher and student are exchanged",
    expected="the first of each pair is for the model that knows more",
)
def training_pairs_exchanged(data, short_context):
    return [(s, t) for t, s in training_pairs.reference(data, short_context)]


@training_pairs.wrong(
    "user-input-dropped",
    seen="the student reads the short context alone",
    expected="the user's input reaches both models",
)
def training_pairs_dropped(data, short_context):
    return [(t, short_context) for t, _ in training_pairs.reference(data, short_context)]


@training_pairs.wrong(
    "user-input-dropped",
    seen="the teacher reads its context without the user's input",
    expected="both models are asked the same thing",
)
def training_pairs_context_only(data, short_context):
    students = [s for _, s in training_pairs.reference(data, short_context)]
    return [(context, s) for (context, _), s in zip(data, students)]


@training_pairs.wrong(
    "rows-shuffled",
    seen="the order of the pairs is not that of the data",
    expected="the first pair belongs to the first item of the data",
)
def training_pairs_reversed(data, short_context):
    return training_pairs.reference(data, short_context)[::-1]


trained_on_full_inputs = choice(
    "trained-on-full-inputs",
    source=("Q07",),
    difficulty=2,
    minutes=2,
    prompt=(
        "By mistake the sum in the objective runs over D, the full inputs, instead of D', the "
        "simplified ones. The student is then deployed on simplified inputs. What follows most directly?"
    ),
    hints=(
        "Which inputs has this student seen?",
        "It may do very well on D. Is that where it is used?",
        "Think of what the student would have to infer when the long context is absent.",
    ),
    options=(
        wrong(
            "The optimisation does not converge, since teacher and student read the same text.",
            "optimiser-blamed",
            seen="reading the same text makes matching easier, not harder",
            expected="a consequence that shows in use, not in training",
        ),
        wrong(
            "Nothing much: D is richer than D', so the student is prepared for both.",
            "more-data-always-better",
            seen="a richer context does not contain the case in which it is missing",
            expected="a look at the inputs of deployment",
        ),
        wrong(
            "The teacher forgets how to use the full context.",
            "teacher-trained",
            seen="the teacher is said to change",
            expected="a consequence for the one model that is trained",
        ),
        right(
            "It has learned to rely on the context and never to do without it: in use it faces "
            "inputs unlike any in training.",
            "What the context did was to be moved into the parameters; on D nothing asks for that.",
        ),
    ),
)


# From the distribution to its top


@code(
    source=("Q08",),
    difficulty=2,
    minutes=5,
    prompt=(
        "Write `one_hot_of_top(log_p)`: replace each of the teacher's distributions, given as "
        "log-probabilities, by the one-hot distribution of its top prediction. Where several words "
        "share the top, keep exactly one of them."
    ),
    hints=(
        "The result has the same shape as the argument.",
        "Find the position of the largest entry in each row, then write a 1 there.",
        "`torch.nn.functional.one_hot(..., num_classes=...)` of an argmax over the last dimension.",
    ),
    explanation="All that distinguished the other words is gone: that is the price of hard targets.",
)
def one_hot_of_top(log_p):
    """One-hot distribution of each row's most likely word. (..., V) -> (..., V)"""
    return F.one_hot(log_p.argmax(dim=-1), num_classes=log_p.shape[-1]).float()


def _any_top(answer, log_p):
    """Any choice among equal tops is right: what counts is one 1 in each row, at a top."""
    result = torch.as_tensor(answer(log_p))
    at_a_top = log_p == log_p.max(dim=-1, keepdim=True).values
    return result.sum(dim=-1), (result * at_a_top).sum(dim=-1)


one_hot_of_top.probe("four rows, three words", log_distributions(4, 3, seed=31))
one_hot_of_top.probe("two rows, six words", log_distributions(2, 6, seed=32))
one_hot_of_top.probe("three dimensions", log_distributions(2, 4, 5, seed=33))
one_hot_of_top.probe("a single row", torch.tensor([0.2, 0.5, 0.3]).log())
one_hot_of_top.probe("exact zeros", torch.tensor([[0.0, 0.0, 1.0], [0.4, 0.6, 0.0]]).log())
one_hot_of_top.probe(
    "ties",
    torch.tensor([[0.4, 0.2, 0.4], [0.25, 0.25, 0.5]]).log(),
    measure=_any_top,
    points_to="ties-counted-twice",
    expected="a distribution: one 1 in each row",
)


@one_hot_of_top.also
def one_hot_of_top_scattered(log_p):
    zeros = torch.zeros_like(log_p)
    return zeros.scatter(-1, log_p.max(dim=-1, keepdim=True).indices, 1.0)


@one_hot_of_top.also
def one_hot_of_top_in_loops(log_p):
    if log_p.dim() > 1:
        return torch.stack([one_hot_of_top_in_loops(row) for row in log_p])
    row = log_p.tolist()
    return torch.tensor([float(i == row.index(max(row))) for i in range(len(row))])


@one_hot_of_top.symptom(
    "index-for-distribution",
    seen="there is one number for each row",
    expected="one distribution for every row, over the whole vocabulary",
)
def _(results):
    return results["four rows, three words"].size == 4 and results["exact zeros"].size == 2


@one_hot_of_top.wrong(
    "index-for-distribution",
    seen="the result holds word numbers; the vocabulary dimension is gone",
    expected="one distribution for each row",
)
def one_hot_index(log_p):
    return log_p.argmax(dim=-1)


@one_hot_of_top.wrong(
    "ties-counted-twice",
    seen="where two words share the top, the row sums to 2",
    expected="one word for each row, also where two are equally likely",
)
def one_hot_ties(log_p):
    return (log_p == log_p.max(dim=-1, keepdim=True).values).float()


@one_hot_of_top.wrong(
    "batch-for-row",
    seen="one word is chosen for the whole batch",
    expected="each row has its own top",
)
def one_hot_of_batch(log_p):
    return (log_p == log_p.max()).float()


@one_hot_of_top.wrong(
    "wrong-axis",
    seen="the top is taken down the columns",
    expected="the top over the vocabulary, the last dimension",
)
def one_hot_columns(log_p):
    return (log_p == log_p.max(dim=0, keepdim=True).values).float()


@one_hot_of_top.wrong(
    "rest-not-renormalised",
    seen="the top word keeps its probability, the others get 0: rows sum to less than 1",
    expected="a distribution, with all of its mass on one word",
)
def one_hot_unnormalised(log_p):
    return log_p.exp() * one_hot_of_top.reference(log_p)


@one_hot_of_top.wrong(
    "sign-flipped",
    seen="the least likely word is chosen",
    expected="the most likely word: among negative logarithms, the one nearest to 0",
)
def one_hot_of_bottom(log_p):
    return F.one_hot(log_p.argmin(dim=-1), log_p.shape[-1]).float()


@one_hot_of_top.wrong(
    "wrong-word",
    seen="the first word is always chosen",
    expected="the word depends on the row",
)
def one_hot_of_first(log_p):
    return F.one_hot(torch.zeros_like(log_p[..., 0]).long(), log_p.shape[-1]).float()


@one_hot_of_top.wrong(
    "nothing-done",
    seen="the distributions come back as they were",
    expected="hard targets: all mass on one word",
)
def one_hot_soft(log_p):
    return log_p.exp()


@one_hot_of_top.wrong(
    "log-for-probability",
    seen="the result holds logarithms: 0 at the top and minus infinity elsewhere",
    expected="probabilities, 1 at the top and 0 elsewhere",
)
def one_hot_logarithms(log_p):
    return one_hot_of_top.reference(log_p).log()


lost_with_the_top = choice(
    "lost-with-the-top",
    source=("Q08",),
    difficulty=2,
    minutes=2,
    prompt=(
        "In the objective each teacher distribution is replaced by the one-hot of its top prediction. "
        "What does the student no longer learn, and why does it matter?"
    ),
    hints=(
        "What do two teachers have in common that share the top word and nothing else?",
        "Hard targets call all other words equally wrong.",
        "The student samples from its whole distribution when it is used.",
    ),
    options=(
        right(
            "How likely the alternatives are, relative to the top and to each other: so it cannot "
            "know how sure to be, nor what else would do.",
            "Doubt and similarity live in the part of the distribution that the one-hot throws away.",
        ),
        wrong(
            "Nothing that matters: in the end a user sees only the best answer.",
            "top-1-for-match",
            seen="two students with the same best word can differ in everything else",
            expected="a look at what is sampled, and at doubtful cases",
        ),
        wrong(
            "The ground truth, which the soft distribution contained.",
            "labels-for-teacher",
            seen="neither the soft nor the hard target contains a human's label",
            expected="something that was in the teacher's distribution",
        ),
        wrong(
            "The teacher's parameters, which could be read off the soft distribution.",
            "parameters-copied",
            seen="no distribution over words gives parameters away",
            expected="something about outputs",
        ),
    ),
)


# What the data decide

good_on_simple_bad_on_complex = choice(
    "good-on-simple-bad-on-complex",
    source=("Q09",),
    difficulty=2,
    minutes=3,
    prompt=(
        "A student was trained by the objective on simplified sentences only. It matches its teacher "
        "on those and fails on complex sentences. Which part of the objective is the likeliest cause?"
    ),
    hints=(
        "List the parts: the sum, the teacher, the student, the loss, the argmin.",
        "The argmin did its work on every input that it was given.",
        "Which part decides on which inputs a mismatch costs anything?",
    ),
    options=(
        wrong(
            "The student's parameters: it is too small.",
            "capacity-blamed",
            seen="on the inputs that were seen this student is good, which a too small one is not",
            expected="a cause that separates seen from unseen inputs",
        ),
        wrong(
            "The teacher: it cannot handle complex sentences.",
            "teacher-blamed",
            seen="nobody has asked the teacher; nothing in training tests it there",
            expected="a cause that can be seen in the objective itself",
        ),
        right(
            "The sum: it runs over simplified inputs, so a mismatch on complex ones costs nothing.",
            "What the sum does not hold the optimisation does not care about.",
        ),
        wrong(
            "The argmin: the optimiser stopped too early.",
            "optimiser-blamed",
            seen="the loss on the training inputs is low, so the optimiser did its work",
            expected="a cause outside of the optimisation",
        ),
    ),
)

is_more_data_always_better = choice(
    "is-more-data-always-better",
    source=("Q10",),
    difficulty=2,
    minutes=3,
    prompt=(
        "True or false: a larger and more diverse D' always gives a better match and a lower final loss."
    ),
    hints=(
        "'Always' is a strong word. Look for one case that breaks it.",
        "Two claims are made: about the match in use, and about the loss in training.",
        "Think of a student that cannot fit everything, or an input that has lost what it needs.",
    ),
    options=(
        wrong(
            "True: more data give the optimiser more to work with.",
            "more-data-always-better",
            seen="nothing is said about a student that is too small for the diversity",
            expected="a case in which data are not what is missing",
        ),
        wrong(
            "False: the size and kind of D' do not matter, since the teacher supplies the targets.",
            "data-size-irrelevant",
            seen="the student is matched only where D' has inputs",
            expected="an answer in which data can help",
        ),
        wrong(
            "False: the final loss of any good optimiser is 0, whatever D' is.",
            "zero-loss-expected",
            seen="a limited student, or an input that lacks the context, cannot reach 0",
            expected="a least loss that depends on student and data",
        ),
        right(
            "False: it often helps in use, but a limited student must then compromise between more "
            "kinds of input, and its loss on them may rise.",
            "Coverage and final loss are two things; the exercise blind-student-loss shows the second.",
        ),
    ),
)


@code(
    source=("Q10",),
    difficulty=4,
    minutes=10,
    prompt=(
        "A blind student cannot see its input: it has one distribution for all. Write "
        "`blind_student_loss(p)`: the lowest mean of KL(P||Q) over the rows of `p` that such a student "
        "can reach. Rows are the teacher's probabilities for N inputs; exact zeros occur."
    ),
    hints=(
        "Which single distribution is the best answer to all rows at once, under the forward KL?",
        "Under the forward KL the best compromise is the plain average of the rows.",
        "Average the rows, take the KL of each row to that average, and average again.",
    ),
    explanation=(
        "Equal rows give 0. Adding a row of another kind raises the loss: "
        "more diverse data, higher final loss."
    ),
)
def blind_student_loss(p):
    """Least mean KL from the rows to one common distribution, in nats. (N, V) -> scalar"""
    q = p.mean(dim=0)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1).mean()


blind_student_loss.probe("three inputs, five words", distributions(3, 5, seed=41))
blind_student_loss.probe("seven inputs, two words", distributions(7, 2, seed=42))
blind_student_loss.probe("nearly one-hot rows", distributions(4, 3, seed=43, scale=4.0))
blind_student_loss.probe("equal rows", torch.tensor([[0.5, 0.25, 0.25]]).repeat(3, 1))
blind_student_loss.probe(
    "one-hot rows",
    torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]),
    points_to="zero-log-zero",
    expected="0 log 0 counts as 0",
)


@blind_student_loss.also
def blind_student_loss_by_entropies(p):
    entropy = torch.special.entr
    return entropy(p.mean(dim=0)).sum() - entropy(p).sum(dim=-1).mean()


@blind_student_loss.also
def blind_student_loss_in_loops(p):
    rows = p.tolist()
    q = [sum(column) / len(rows) for column in zip(*rows)]
    losses = [sum(a * math.log(a / b) for a, b in zip(row, q) if a > 0) for row in rows]
    return sum(losses) / len(rows)


@blind_student_loss.wrong(
    "kl-reversed",
    seen="the value is the best for KL(Q||P): a student that keeps only what all rows share",
    expected="the teacher's probabilities weigh the log-ratios",
)
def blind_student_loss_reverse_optimum(p):
    return -torch.logsumexp(p.log().mean(dim=0), dim=-1)


@blind_student_loss.wrong(
    "kl-reversed",
    seen="the right compromise is judged by KL(Q||P)",
    expected="KL(P||Q): from the teacher to the student",
)
def blind_student_loss_reversed(p):
    q = p.mean(dim=0)
    return (torch.xlogy(q, q) - torch.xlogy(q, p)).sum(dim=-1).mean()


@blind_student_loss.wrong(
    "ce-called-kl",
    seen="equal rows, which a blind student can match, do not give 0",
    expected="0 where one distribution fits all rows",
)
def blind_student_loss_cross_entropy(p):
    return -torch.xlogy(p, p.mean(dim=0)).sum(dim=-1).mean()


@blind_student_loss.wrong(
    "flat-for-informative",
    seen="the student's answer is the uniform distribution, whatever the rows are",
    expected="the best single distribution for these rows",
)
def blind_student_loss_uniform(p):
    return (torch.xlogy(p, p).sum(dim=-1) + math.log(p.shape[-1])).mean()


@blind_student_loss.wrong(
    "sum-for-mean",
    seen="the value grows when every row is repeated",
    expected="a mean over the inputs",
)
def blind_student_loss_sum(p):
    return blind_student_loss.reference(p) * len(p)


@blind_student_loss.wrong(
    "mean-over-vocab",
    seen="the value is divided by the size of the vocabulary",
    expected="a sum over the vocabulary",
)
def blind_student_loss_vocabulary(p):
    return blind_student_loss.reference(p) / p.shape[-1]


@blind_student_loss.wrong(
    "zero-log-zero",
    seen="rows with exact zeros give NaN",
    expected="what the teacher never does adds nothing",
)
def blind_student_loss_nan(p):
    return (p * (p / p.mean(dim=0)).log()).sum(dim=-1).mean()


@blind_student_loss.wrong(
    "zero-loss-expected",
    seen="the value is 0 for all rows, however different they are",
    expected="one distribution cannot match two different rows",
)
def blind_student_loss_zero(p):
    return torch.zeros(())


# Comparing two settings


@code(
    source=("Q11",),
    difficulty=3,
    minutes=8,
    prompt=(
        "Write `losses_of_settings(log_p, settings)`: `settings` is a list of students, each given by "
        "its log-probabilities (N, V) on the same N inputs. Return the objective's value for each "
        "(the sum over inputs of KL(P||Q)) and the position of the best, as a pair (losses, best)."
    ),
    hints=(
        "One number for each student: the sum over inputs of the divergence from the teacher.",
        "Is the best setting the one with the largest or with the smallest of these numbers?",
        "[(log_p.exp() * (log_p - log_q)).sum() for log_q in settings], then the position of one of them.",
    ),
)
def losses_of_settings(log_p, settings):
    """The summed KL(P||Q) of every setting, and the position of the best. -> (losses, best)"""
    losses = [float((log_p.exp() * (log_p - log_q)).sum()) for log_q in settings]
    return losses, losses.index(min(losses))


def _settings(rows: int, words: int, count: int, seed: int):
    students = [log_distributions(rows, words, seed=seed + 10 + i) for i in range(count)]
    return log_distributions(rows, words, seed=seed), students


losses_of_settings.probe("two settings", *_settings(3, 5, 2, seed=51))
losses_of_settings.probe("three settings", *_settings(2, 4, 3, seed=52))
losses_of_settings.probe("four settings, one input", *_settings(1, 3, 4, seed=59))
losses_of_settings.probe(
    "one that gets the top right and the rest wrong",
    torch.tensor([[0.70, 0.20, 0.10], [0.60, 0.30, 0.10]]).log(),
    [
        torch.tensor([[0.72, 0.01, 0.27], [0.62, 0.01, 0.37]]).log(),
        torch.tensor([[0.60, 0.27, 0.13], [0.45, 0.46, 0.09]]).log(),
    ],
)


@losses_of_settings.also
def losses_of_settings_stacked(log_p, settings):
    losses = torch.stack([F.kl_div(q, log_p, reduction="sum", log_target=True) for q in settings])
    return losses, losses.argmin()


def _best(losses):
    return losses, losses.index(min(losses))


@losses_of_settings.wrong(
    "argmax-sign",
    seen="the losses are right, and the setting with the largest of them is chosen",
    expected="a loss is better when it is smaller",
)
def losses_of_settings_worst(log_p, settings):
    losses, _ = losses_of_settings.reference(log_p, settings)
    return losses, losses.index(max(losses))


@losses_of_settings.wrong(
    "kl-reversed",
    seen="each student's own probabilities weigh its log-ratios",
    expected="the teacher's probabilities are the weights, the same for all students",
)
def losses_of_settings_reversed(log_p, settings):
    return _best([float((q.exp() * (q - log_p)).sum()) for q in settings])


@losses_of_settings.wrong(
    "ce-called-kl",
    seen="all losses are too large by the same amount, the teacher's entropy",
    expected="losses that would be 0 for a perfect student",
)
def losses_of_settings_cross_entropy(log_p, settings):
    return _best([float(-(log_p.exp() * q).sum()) for q in settings])


@losses_of_settings.wrong(
    "top-1-for-match",
    seen="only how often the first choices agree is counted",
    expected="a comparison of whole distributions",
)
def losses_of_settings_accuracy(log_p, settings):
    top = log_p.argmax(dim=-1)
    return _best([float((q.argmax(dim=-1) != top).sum()) for q in settings])


@losses_of_settings.wrong(
    "top-1-for-match",
    seen="settings are scored by the share of first choices that agree",
    expected="a score to which all words contribute",
)
def losses_of_settings_agreement(log_p, settings):
    top = log_p.argmax(dim=-1)
    shares = [float((q.argmax(dim=-1) == top).float().mean()) for q in settings]
    return shares, shares.index(max(shares))


@losses_of_settings.wrong(
    "hard-for-soft",
    seen="only the teacher's first choice on each input has an effect on the losses",
    expected="losses in which every word counts",
)
def losses_of_settings_hard(log_p, settings):
    top = log_p.argmax(dim=-1)
    return _best([float(F.nll_loss(q, top, reduction="sum")) for q in settings])


@losses_of_settings.wrong(
    "mean-for-sum",
    seen="the losses are means over the inputs",
    expected="sums over the inputs, as in the objective",
)
def losses_of_settings_mean(log_p, settings):
    losses, best = losses_of_settings.reference(log_p, settings)
    return [loss / len(log_p) for loss in losses], best


@losses_of_settings.wrong(
    "mean-over-vocab",
    seen="the losses are means over all entries, words included",
    expected="sums over words and inputs",
)
def losses_of_settings_mean_of_everything(log_p, settings):
    losses, best = losses_of_settings.reference(log_p, settings)
    return [loss / log_p.numel() for loss in losses], best


@losses_of_settings.wrong(
    "nats-for-bits",
    seen="the losses are in bits",
    expected="natural logarithms, as in all losses of this book",
)
def losses_of_settings_in_bits(log_p, settings):
    losses, best = losses_of_settings.reference(log_p, settings)
    return [loss / math.log(2) for loss in losses], best


@losses_of_settings.symptom(
    "argmax-sign",
    seen="the setting with the largest loss is chosen",
    expected="smaller losses are better",
)
def _(results):
    return all(int(r[1]) == r[0].argmax() and len(set(r[0].tolist())) > 1 for r in results.values())


@number(
    source=("Q11",),
    difficulty=2,
    minutes=5,
    decimals=3,
    unit="nats",
    prompt=(
        "D' has two inputs. The teacher answers (0.5, 0.5) to the first and (0.9, 0.1) to the second. "
        "With its present parameters the student answers (0.6, 0.4) and (0.8, 0.2). What is the "
        "objective's value, with KL(P||Q) as the loss?"
    ),
    hints=(
        "One KL for each input.",
        "Each KL has two terms p ln(p / q), one of which is negative.",
        "0.5 ln(0.5/0.6) + 0.5 ln(0.5/0.4) for the first input; likewise the second; add.",
    ),
)
def objective_on_two_inputs():
    """The sum of two KL divergences, in nats."""
    teacher, student = ((0.5, 0.5), (0.9, 0.1)), ((0.6, 0.4), (0.8, 0.2))
    return sum(a * math.log(a / b) for p, q in zip(teacher, student) for a, b in zip(p, q))


_P, _Q = (0.5, 0.5, 0.9, 0.1), (0.6, 0.4, 0.8, 0.2)
_KL = sum(a * math.log(a / b) for a, b in zip(_P, _Q))
_CE = -sum(a * math.log(b) for a, b in zip(_P, _Q))
objective_on_two_inputs.wrong(
    "mean-for-sum",
    _KL / 2,
    seen="the value is the mean over the two inputs",
    expected="the sum over D'",
)
objective_on_two_inputs.wrong(
    "nats-for-bits",
    _KL / math.log(2),
    seen="the value is in bits",
    expected="natural logarithms",
)
objective_on_two_inputs.wrong(
    "ce-called-kl",
    _CE,
    seen="the value is the cross-entropy; a perfect student would not get 0",
    expected="a divergence: 0 for a perfect student",
)
objective_on_two_inputs.wrong(
    "ce-called-kl",
    _CE / 2,
    seen="the value is the mean cross-entropy",
    expected="a divergence, summed over the inputs",
)
objective_on_two_inputs.wrong(
    "kl-reversed",
    sum(b * math.log(b / a) for a, b in zip(_P, _Q)),
    seen="the student's probabilities are the weights",
    expected="the teacher's probabilities are the weights",
)
objective_on_two_inputs.wrong(
    "hard-for-soft",
    -math.log(0.6) - math.log(0.8),
    seen="only one word for each input enters",
    expected="both words of each input enter",
)


# Sequences: sums, means, parts


@code(
    source=("Q12",),
    difficulty=2,
    minutes=8,
    prompt=(
        "Write `sequence_losses(token_losses, mask)`: the sum and the mean of the token losses of each "
        "sequence, as a pair of tensors (B,). Both arguments have shape (B, L); the mask is 1 at "
        "tokens and 0 at padding. Padding may stand left or right; what `token_losses` holds "
        "there is arbitrary and finite. Every sequence has at least one token."
    ),
    hints=(
        "Padding must neither add to a sum nor count in a mean.",
        "The mask serves twice: once for the losses, once for their number.",
        "Multiply by the mask before summing; divide by the sum of the mask.",
    ),
)
def sequence_losses(token_losses, mask):
    """Sum and mean of each sequence's token losses, without padding. (B, L), (B, L) -> (B,), (B,)"""
    total = (token_losses * mask).sum(dim=-1)
    return total, total / mask.sum(dim=-1)


def _positive(*shape: int, seed: int):
    return normal(*shape, seed=seed).abs() + 0.1


_RIGHT = torch.tensor([[1.0, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]])
_LEFT = torch.tensor([[0.0, 0, 1, 1], [1, 1, 1, 1]])
_FOX = torch.tensor([[0.1, 0.3, 0.2, 0.4], [0.1, 0.3, 0.9, 0.9]])
_FOX_MASK = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 0]])
sequence_losses.probe("padding on the right", _positive(3, 5, seed=61), _RIGHT)
sequence_losses.probe("padding on the left", _positive(2, 4, seed=62), _LEFT)
sequence_losses.probe("no padding", _positive(4, 3, seed=63), torch.ones(4, 3))
sequence_losses.probe("the quick brown fox, and its beginning", _FOX, _FOX_MASK)


@sequence_losses.also
def sequence_losses_in_loops(token_losses, mask):
    kept = [[x for x, m in zip(*row) if m] for row in zip(token_losses.tolist(), mask.tolist())]
    return [sum(row) for row in kept], [sum(row) / len(row) for row in kept]


@sequence_losses.wrong(
    "padding-counted",
    seen="the losses at padding enter the sum and the mean",
    expected="results that do not change with the losses at padding",
)
def sequence_losses_unmasked(token_losses, mask):
    return token_losses.sum(dim=-1), token_losses.mean(dim=-1)


@sequence_losses.wrong(
    "padding-counted",
    seen="the sum is right; the mean falls when padding is added",
    expected="a mean over tokens only",
)
def sequence_losses_mean_of_all(token_losses, mask):
    return (token_losses * mask).sum(dim=-1), (token_losses * mask).mean(dim=-1)


@sequence_losses.wrong(
    "padding-counted",
    seen="the losses at padding enter the sum; only the count leaves padding out",
    expected="the mask applied to the losses as well",
)
def sequence_losses_unmasked_sum(token_losses, mask):
    return token_losses.sum(dim=-1), token_losses.sum(dim=-1) / mask.sum(dim=-1)


@sequence_losses.wrong(
    "padding-counted",
    seen="only padding is counted: the mask is read the other way round",
    expected="1 in the mask stands for a token",
)
def sequence_losses_of_padding(token_losses, mask):
    return sequence_losses.reference(token_losses, 1 - mask)


@sequence_losses.wrong(
    "sum-for-mean",
    seen="sum and mean are exchanged",
    expected="the sum first, then the mean",
)
def sequence_losses_exchanged(token_losses, mask):
    return sequence_losses.reference(token_losses, mask)[::-1]


@sequence_losses.wrong(
    "batch-for-row",
    seen="there is one sum and one mean for the whole batch",
    expected="a sum and a mean for each sequence",
)
def sequence_losses_of_batch(token_losses, mask):
    total = (token_losses * mask).sum()
    return total, total / mask.sum()


@sequence_losses.wrong(
    "wrong-size-in-mean",
    seen="each mean is divided by the tokens of the whole batch",
    expected="each mean divides by its own sequence's tokens",
)
def sequence_losses_batch_count(token_losses, mask):
    total = (token_losses * mask).sum(dim=-1)
    return total, total / mask.sum()


@sequence_losses.wrong(
    "wrong-axis",
    seen="the sums run down the columns: over the batch, not along the sequence",
    expected="a sum along each sequence",
)
def sequence_losses_columns(token_losses, mask):
    total = (token_losses * mask).sum(dim=0)
    return total, total / mask.sum(dim=0)


@sequence_losses.wrong(
    "divided-twice",
    seen="the first result is a mean already, and the second is divided again",
    expected="a sum and a mean",
)
def sequence_losses_divided_twice(token_losses, mask):
    mean = (token_losses * mask).sum(dim=-1) / mask.sum(dim=-1)
    return mean, mean / mask.sum(dim=-1)


@sequence_losses.wrong(
    "sum-for-mean",
    seen="both results are the sum",
    expected="a mean that is not larger for being longer",
)
def sequence_losses_two_sums(token_losses, mask):
    total = (token_losses * mask).sum(dim=-1)
    return total, total


@sequence_losses.wrong(
    "mean-for-sum",
    seen="both results are the mean",
    expected="a sum that grows with every token",
)
def sequence_losses_two_means(token_losses, mask):
    mean = (token_losses * mask).sum(dim=-1) / mask.sum(dim=-1)
    return mean, mean


@code(
    source=("Q12",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `part_loss(token_losses, first, last)`: the loss of the part of a sequence from word "
        "number `first` to word number `last`, both included, counting from 1. `token_losses` has "
        "shape (L,)."
    ),
    hints=(
        "A part sums over its own positions and no others.",
        "Python counts from 0 and leaves the end of a slice out: two small corrections.",
        "'quick brown' is words 2 and 3, that is, the slice [1:3].",
    ),
)
def part_loss(token_losses, first, last):
    """Sum of the token losses from word number `first` to word number `last`. (L,) -> scalar"""
    return token_losses[first - 1 : last].sum()


for _first, _last in ((2, 3), (1, 4), (3, 3), (4, 7), (1, 1)):
    part_loss.probe(f"words {_first} to {_last} of 7", _positive(7, seed=71), _first, _last)
part_loss.probe("a whole sequence", _positive(5, seed=72), 1, 5)


@part_loss.also
def part_loss_in_loops(token_losses, first, last):
    return sum(x for number, x in enumerate(token_losses.tolist(), 1) if first <= number <= last)


@part_loss.wrong(
    "off-by-one",
    seen="the part starts one word too late",
    expected="word number 1 is the first",
)
def part_loss_from_zero(token_losses, first, last):
    return token_losses[first : last + 1].sum()


@part_loss.wrong(
    "off-by-one",
    seen="the first word of the part is missing",
    expected="a part that contains the word it starts with",
)
def part_loss_without_first(token_losses, first, last):
    return token_losses[first:last].sum()


@part_loss.wrong(
    "end-left-out",
    seen="the last word of the part is missing",
    expected="both ends belong to the part",
)
def part_loss_without_last(token_losses, first, last):
    return token_losses[first - 1 : last - 1].sum()


@part_loss.wrong(
    "off-by-one",
    seen="the part is one word too long at its end",
    expected="as many terms as the part has words",
)
def part_loss_too_long(token_losses, first, last):
    return token_losses[first - 1 : last + 1].sum()


@part_loss.wrong(
    "mean-for-sum",
    seen="longer parts do not have larger losses: the sum is divided by the length",
    expected="a sum over the part's words",
)
def part_loss_mean(token_losses, first, last):
    return token_losses[first - 1 : last].mean()


@part_loss.wrong(
    "whole-for-part",
    seen="the result is that of the whole sequence, whichever part is asked for",
    expected="only the part's own words",
)
def part_loss_whole(token_losses, first, last):
    return token_losses.sum()


@part_loss.wrong(
    "whole-for-part",
    seen="everything up to the last word enters, also what stands before the part",
    expected="a part has a beginning too",
)
def part_loss_prefix(token_losses, first, last):
    return token_losses[:last].sum()


@number(
    source=("Q12",),
    difficulty=1,
    minutes=3,
    decimals=2,
    unit="nats",
    prompt=(
        "The token losses of 'The quick brown fox' are 0.1, 0.3, 0.2, 0.4. "
        "What is the loss of the sub-sequence 'brown fox'?"
    ),
    hints=(
        "A sub-sequence sums over its own positions.",
        "Which of the four numbers belong to brown and to fox?",
        "The last two numbers, added.",
    ),
    explanation="Summing uses that the log of a product of conditional probabilities is a sum.",
)
def brown_fox():
    """The loss of the words 'brown fox', in nats."""
    return 0.2 + 0.4


brown_fox.wrong(
    "mean-for-sum",
    0.3,
    seen="the value is the mean of the two token losses",
    expected="their sum",
)
brown_fox.wrong(
    "off-by-one",
    0.5,
    seen="the value belongs to 'quick brown'",
    expected="the losses of brown and of fox",
)
brown_fox.wrong(
    "end-left-out",
    0.2,
    seen="the value is that of brown alone",
    expected="both words enter",
)
brown_fox.wrong(
    "top-entry-only",
    0.4,
    seen="the value is that of fox alone",
    expected="both words enter, not only the last",
)
brown_fox.wrong(
    "whole-for-part",
    1.0,
    seen="the value is that of the whole sentence",
    expected="only the positions of the sub-sequence",
)
brown_fox.wrong(
    "wrong-size-in-mean",
    0.15,
    seen="the sum is divided by the length of the whole sentence",
    expected="nothing is divided: a loss of a sequence is a sum",
)


chain_of_token_losses = derivation(
    "chain-of-token-losses",
    source=("Q12", "Q13"),
    difficulty=2,
    minutes=5,
    symbols=("a", "b", "c"),
    prompt=(
        "A student gives the three words of a sentence the conditional probabilities a, b, c. Fill in:\n\n"
        "- By the chain rule the sentence has the probability [1].\n"
        "- Its loss, the sum of the token losses, is [2].\n"
        "- The mean token loss belongs to the typical probability of one word, exp(-mean), which is [3]."
    ),
    hints=(
        "Conditional probabilities multiply.",
        "The loss is minus a logarithm; the logarithm of a product is a sum.",
        "exp(-(loss) / 3): what does a division by 3 do to the exponential of a logarithm?",
    ),
    blanks=("a * b * c", "-(log(a) + log(b) + log(c))", "(a * b * c)**(1/3)"),
    explanation="Summing token losses assumes that each is conditioned on all words before it.",
)
chain_of_token_losses.wrong(
    1,
    "a + b + c",
    "log-of-sum",
    seen="blank [1] adds probabilities; the sum can be larger than 1",
    expected="the probability that all three happen",
)
chain_of_token_losses.wrong(
    1,
    "(a + b + c) / 3",
    "mean-for-sum",
    seen="blank [1] is an average; a longer sentence would not become less likely",
    expected="a probability that falls with every word",
)
chain_of_token_losses.wrong(
    2,
    "log(a) + log(b) + log(c)",
    "sign-flipped",
    seen="blank [2] is negative",
    expected="a loss of at least 0",
)
chain_of_token_losses.wrong(
    2,
    "-log(a + b + c)",
    "log-of-sum",
    seen="blank [2] is the logarithm of a sum",
    expected="the logarithm of the sentence's probability",
)
chain_of_token_losses.wrong(
    2,
    "-(log(a) + log(b) + log(c)) / 3",
    "mean-for-sum",
    seen="blank [2] is the mean of the token losses",
    expected="their sum",
)
chain_of_token_losses.wrong(
    3,
    "a * b * c",
    "sum-for-mean",
    seen="blank [3] is the sentence's probability: it belongs to the sum of the losses",
    expected="something that does not fall just because a sentence is longer",
)
chain_of_token_losses.wrong(
    3,
    "(a + b + c) / 3",
    "log-of-sum",
    seen="blank [3] is the average of the probabilities",
    expected="what the average of the logarithms belongs to",
)
chain_of_token_losses.wrong(
    3,
    "a * b * c / 3",
    "divided-twice",
    seen="blank [3] divides the probability, not its logarithm",
    expected="the division happens in the exponent",
)


@code(
    source=("Q13",),
    difficulty=3,
    minutes=8,
    prompt=(
        "Write `loss_per_token(batches)`: the mean token loss over a whole corpus. `batches` is a list "
        "of batches, each a list of 1-d tensors: the token losses of one sentence. Sentences and "
        "batches have different sizes, and every token weighs the same."
    ),
    hints=(
        "If every token weighs the same, it must not matter how the corpus is cut into batches.",
        "Keep two numbers while you go: a sum and a count.",
        "Add sentence.sum() to one and len(sentence) to the other; divide once, at the end.",
    ),
    explanation="A sum and a count can be added up over batches and machines; means cannot.",
)
def loss_per_token(batches):
    """Mean loss of all tokens of all sentences of all batches. -> scalar"""
    total = sum(float(sentence.sum()) for batch in batches for sentence in batch)
    count = sum(len(sentence) for batch in batches for sentence in batch)
    return total / count


def _sentences(lengths: list[int], seed: int):
    return [_positive(length, seed=seed + i) for i, length in enumerate(lengths)]


loss_per_token.probe("batches of 1 and 9 tokens", [_sentences([1], 81), _sentences([4, 5], 82)])
loss_per_token.probe(
    "three batches", [_sentences([2, 7, 1], 83), _sentences([3], 86), _sentences([6, 2], 88)]
)
loss_per_token.probe("one batch", [_sentences([3, 8], 91)])
loss_per_token.probe("one sentence", [_sentences([6], 93)])
loss_per_token.probe(
    "equal losses", [[torch.full((2,), 0.5)], [torch.full((5,), 0.5), torch.full((1,), 0.5)]]
)


@loss_per_token.also
def loss_per_token_concatenated(batches):
    return torch.cat([sentence for batch in batches for sentence in batch]).mean()


def _mean(numbers):
    numbers = [float(x) for x in numbers]
    return sum(numbers) / len(numbers)


@loss_per_token.wrong(
    "mean-of-means",
    seen="cutting the corpus into other batches changes the result: batches weigh the same",
    expected="every token weighs the same, in whichever batch it is",
)
def loss_mean_of_batches(batches):
    return _mean(torch.cat(batch).mean() for batch in batches)


@loss_per_token.wrong(
    "mean-of-means",
    seen="a token in a short sentence weighs more: sentences weigh the same",
    expected="every token weighs the same, in whichever sentence it is",
)
def loss_mean_of_sentences(batches):
    return _mean(sentence.mean() for batch in batches for sentence in batch)


@loss_per_token.wrong(
    "mean-of-means",
    seen="means are taken three times: of sentences, of batches, of the corpus",
    expected="one division, at the end",
)
def loss_mean_of_means_of_means(batches):
    return _mean(_mean(sentence.mean() for sentence in batch) for batch in batches)


@loss_per_token.wrong(
    "sum-for-mean",
    seen="equal token losses of 0.5 do not give 0.5; the result grows with the corpus",
    expected="a mean, which lies between the smallest and the largest token loss",
)
def loss_sum_of_corpus(batches):
    return sum(sentence.sum() for batch in batches for sentence in batch)


@loss_per_token.wrong(
    "sum-for-mean",
    seen="the result is the loss of a sentence on average: longer sentences look worse",
    expected="a loss for each token",
)
def loss_per_sentence(batches):
    return _mean(sentence.sum() for batch in batches for sentence in batch)


@loss_per_token.wrong(
    "batchmean-over-sequences",
    seen="the sum is divided by the number of batches",
    expected="a division by the number of tokens",
)
def loss_per_batch(batches):
    return _mean(torch.cat(batch).sum() for batch in batches)


@loss_per_token.wrong(
    "divided-twice",
    seen="the sum of the sentences' means is divided by the number of tokens",
    expected="each token loss is divided by one count, once",
)
def loss_divided_twice(batches):
    means = sum(sentence.mean() for batch in batches for sentence in batch)
    return means / sum(len(sentence) for batch in batches for sentence in batch)


@loss_per_token.wrong(
    "divided-twice",
    seen="the mean over all tokens is divided by their number again",
    expected="one division",
)
def loss_mean_divided(batches):
    tokens = torch.cat([sentence for batch in batches for sentence in batch])
    return tokens.mean() / len(tokens)


two_translation_strategies = choice(
    "two-translation-strategies",
    source=("Q13",),
    difficulty=3,
    minutes=4,
    prompt=(
        "Two strategies for a translation model are compared on the same source sentence. Strategy A "
        "gives its 4-word translation token losses with sum 1.2. Strategy B gives its 10-word "
        "translation token losses with sum 2.0. What may be concluded?"
    ),
    hints=(
        "What happens to a sum when a sentence gets longer?",
        "Work out both means.",
        "The two scores answer different questions: about a whole sentence, and about one token.",
    ),
    options=(
        wrong(
            "A is the better model: its loss is smaller.",
            "sum-for-mean",
            seen="sums of different lengths are compared; the longer text has more terms",
            expected="a comparison that length alone does not decide",
        ),
        wrong(
            "B is more likely as a sentence: its mean loss is smaller.",
            "mean-for-sum",
            seen="the probability of a whole sentence belongs to the sum, not to the mean",
            expected="mean and sum each used for the question it answers",
        ),
        right(
            "Token by token B does better (0.2 against 0.3); A's sum is smaller since its text is "
            "shorter. Compare on the same reference, and name the score.",
            "Ranking by sums favours short outputs: that is length bias.",
        ),
        wrong(
            "Neither can be compared: a loss has no meaning across two models.",
            "losses-incomparable",
            seen="losses in nats on the same text are comparable between models",
            expected="a statement about what these two numbers do say",
        ),
    ),
)
