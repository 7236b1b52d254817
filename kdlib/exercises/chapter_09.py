"""Exercises of chapter 9: on-policy training, weak teachers, soft prompts (Q28, Q29)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdlib.exercises.choices import choice, right, wrong
from kdlib.exercises.functions import CodeExercise, code
from kdlib.exercises.inputs import normal
from kdlib.exercises.numbers import number


def _name(exercise: CodeExercise, *mistakes: tuple[str, str, str, Callable]) -> None:
    """Add named wrong answers: (id, seen, expected, function)."""
    for id, seen, expected, function in mistakes:
        exercise.wrong(id, seen=seen, expected=expected)(function)


# Texts that the student wrote


@code(
    source=("Q07", "Q09"),
    difficulty=4,
    minutes=15,
    rtol=0.0,
    atol=0.06,  # what is compared are frequencies over thousands of rows
    prompt=(
        "A student that was trained on prefixes of human texts meets its own prefixes in use. "
        "Write `mixed_batch(data, student_logits, share, temperature)`: the training texts of one "
        "step. Each row of `data` (B, L) stays as it is or, with probability `share`, is replaced "
        "by a text of the student: it keeps the row's first word, and every further word is drawn "
        "from the student at the sampling temperature. The student looks one word back: row v of "
        "`student_logits` (V, V) holds its logits for the word after v."
    ),
    hints=(
        (
            "Who wrote a row is decided once for the row. A student that writes goes on from its "
            "own words."
        ),
        "One number of `torch.rand(B)` for each row; then a loop over positions, all rows at once.",
        (
            "In the loop: softmax of the rows `student_logits[previous words] / temperature`, "
            "`torch.multinomial(..., 1)`, and `torch.where(own, drawn, data[:, t])`."
        ),
    ),
    explanation=(
        "The temperature here decides which texts the student is trained on. The temperature of "
        "the loss is another number: it decides how the two models are compared on them."
    ),
)
def mixed_batch(data, student_logits, share, temperature):
    """Rows of the data, of which a share is written by the student. (B, L), (V, V) -> (B, L)"""
    rows = data.clone()
    own = torch.rand(len(data)) < share
    next_word = torch.softmax(student_logits / temperature, dim=-1)
    for t in range(1, data.shape[1]):
        drawn = torch.multinomial(next_word[rows[:, t - 1]], 1)[:, 0]
        rows[:, t] = torch.where(own, drawn, data[:, t])
    return rows


def _texts(rows: int, length: int, words: int, seed: int) -> Tensor:
    """Texts in which no word is followed by the next number, nor by the one two further."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randint(3, words, (rows, length), generator=generator)
    return steps.cumsum(dim=-1) % words


def _who_wrote(answer, data, student_logits, share, temperature):
    """Shares of rows: as in the data; all the student's, who counts upwards; neither."""
    if (result := answer(data, student_logits, share, temperature)) is None:
        return None
    rows, words = torch.as_tensor(result).long(), len(student_logits)
    counting = (data[:, :1] + torch.arange(data.shape[1])) % words
    kept, own = (rows == data).all(dim=-1), (rows == counting).all(dim=-1)
    return torch.stack([kept, own, ~(kept | own)]).float().mean(dim=-1)


def _frequencies(answer, data, student_logits, share, temperature):
    """How often word v is followed by word w. (V, V)"""
    if (result := answer(data, student_logits, share, temperature)) is None:
        return None
    rows, words = torch.as_tensor(result).long(), len(student_logits)
    pairs = rows[:, :-1] * words + rows[:, 1:]
    counts = torch.bincount(pairs.flatten(), minlength=words**2).reshape(words, words)
    return counts / counts.sum(dim=-1, keepdim=True).clamp(min=1)


_COUNTS_UP = 60.0 * torch.eye(7).roll(1, dims=1)  # after v comes v + 1, nearly always
for _share in (0.25, 0.8, 0.0, 1.0):
    mixed_batch.probe(
        f"who wrote the rows, share {_share}",
        _texts(3000, 4, 7, seed=1),
        _COUNTS_UP,
        _share,
        1.0,
        measure=_who_wrote,
    )
for _temperature in (0.5, 2.5):
    mixed_batch.probe(
        f"what follows a word, temperature {_temperature}",
        torch.randint(0, 3, (3000, 5), generator=torch.Generator().manual_seed(2)),
        normal(3, 3, seed=3),
        1.0,
        _temperature,
        measure=_frequencies,
    )


@mixed_batch.also
def mixed_batch_row_by_row(data, student_logits, share, temperature):
    cumulated = torch.softmax(student_logits / temperature, dim=-1).cumsum(dim=-1)
    own = torch.bernoulli(torch.full((len(data), 1), share)).bool()
    words = [data[:, 0]]
    for _ in range(data.shape[1] - 1):
        draws = torch.rand(len(data), 1)
        words.append((draws > cumulated[words[-1], :-1]).sum(dim=-1))
    return torch.where(own, torch.stack(words, dim=1), data)


@mixed_batch.symptom(
    "batch-for-row",
    seen="at shares between 0 and 1, all rows of a batch have the same author",
    expected="a decision for each row",
)
def _(results):
    shares = [results[f"who wrote the rows, share {s}"] for s in (0.25, 0.8)]
    return results["who wrote the rows, share 0.0"][0] == 1 and all(
        s[:2].max() == 1 for s in shares
    )


@mixed_batch.symptom(
    "mixed-within-row",
    seen="the student writes single words of rows that are otherwise the data's",
    expected="rows with one author",
)
def _(results):
    return (
        results["who wrote the rows, share 0.25"][2] > 0.1
        and results["who wrote the rows, share 1.0"][2] < 0.05
    )


def _mixed(data, logits, share, temperature, own=None, after=None, first=1, greedy=False):
    """The reference with one thing changed. after(rows, t): the words that are gone on from."""
    own = torch.rand(len(data), 1) < share if own is None else own
    table, rows = torch.softmax(logits / temperature, dim=-1), data.clone()
    for t in range(first, data.shape[1]):
        next_word = table[after(rows, t) if after else rows[:, max(t - 1, 0)]]
        drawn = next_word.argmax(dim=-1) if greedy else torch.multinomial(next_word, 1)[:, 0]
        rows[:, t] = torch.where(own.expand_as(data)[:, t], drawn, data[:, t])
    return rows


_name(
    mixed_batch,
    (
        "share-misread",
        "the share of rows that come from the data is what should be the student's share",
        "share 1 means that the student wrote every row",
        lambda data, logits, share, t: _mixed(data, logits, 1 - share, t),
    ),
    (
        "share-misread",
        "the student writes all rows, whatever the share is",
        "a share of 0 leaves the data as they are",
        lambda data, logits, share, t: _mixed(data, logits, 1.0, t),
    ),
    (
        "nothing-done",
        "all rows are those of the data: nothing was sampled",
        "rows that the student wrote",
        lambda data, logits, share, t: data,
    ),
    (
        "mixed-within-row",
        "rows change hands in the middle: neither the data nor the student wrote them",
        "a row has one author from its second word to its end",
        lambda *a: _mixed(*a, own=torch.rand(a[0].shape) < a[2]),
    ),
    (
        "batch-for-row",
        "one draw decides for all rows: either the whole batch is the student's or nothing of it",
        "each row is decided for itself",
        lambda *a: _mixed(*a, own=torch.rand(1, 1) < a[2]),
    ),
    (
        "prefix-not-extended",
        "each word is drawn after the data's previous word, not after the student's own",
        "a student that goes on from what it wrote",
        lambda *a: _mixed(*a, after=lambda _, t: a[0][:, t - 1]),
    ),
    (
        "prefix-not-extended",
        "every word is drawn as if it stood second: only the first word is looked at",
        "each drawn word decides what may follow it",
        lambda *a: _mixed(*a, after=lambda _, t: a[0][:, 0]),
    ),
    (
        "greedy-for-sampled",
        "after a word there always comes the same one: the likeliest",
        "words drawn with their probabilities",
        lambda *a: _mixed(*a, greedy=True),
    ),
    (
        "temperature-ignored",
        "all temperatures give the same frequencies",
        "frequencies that change with the sampling temperature",
        lambda data, logits, share, t: _mixed(data, logits, share, 1.0),
    ),
    (
        "temperature-inverted",
        "a higher temperature makes the texts less varied",
        "a higher temperature makes them more varied",
        lambda data, logits, share, t: _mixed(data, logits, share, 1 / t),
    ),
    (
        "off-by-one",
        "in the student's rows the first word is replaced as well",
        "a text of the student starts with the row's own first word",
        lambda *a: _mixed(*a, first=0),
    ),
)


@code(
    source=("Q12",),
    difficulty=4,
    minutes=15,
    prompt=(
        "Write `on_policy_loss(teacher_logits, student_logits, rollout, temperature)`: the pair "
        "(sum, count). `rollout` is a dictionary: tokens (B, L), prompt_length, stop, and "
        "temperature, at which the student drew the tokens. The first prompt_length tokens of "
        "each row are given, the others are the student's, until it drew the stop token; what "
        "stands behind that is padding, with any ids. Logits (B, L, V) at a position speak about "
        "the next token. The sum runs over the tokens that the student drew, the stop token "
        "included, each with the KL from teacher to student at the loss's `temperature`, times "
        "its square; the count is the number of these tokens."
    ),
    hints=(
        "How many tokens there are is known only after sampling: look for the stop token.",
        (
            "The token number t is predicted at position t - 1. A stop token in the prompt ends "
            "nothing."
        ),
        (
            "A drawn token counts if no stop token was drawn before it: a cumulative sum of "
            "(tokens == stop) over the drawn part, minus that token's own share, is 0."
        ),
    ),
    explanation="Which tokens count is the sampler's business, how they are compared the loss's.",
)
def on_policy_loss(teacher_logits, student_logits, rollout, temperature):
    """The summed KL over the tokens that the student drew, and their number. -> (sum, count)"""
    start = rollout["prompt_length"]
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    kl = temperature**2 * (log_p.exp() * (log_p - log_q)).sum(dim=-1)
    stops = (rollout["tokens"][:, start:] == rollout["stop"]).long()
    drawn = stops.cumsum(dim=-1) - stops == 0
    return kl[:, start - 1 : -1][drawn].sum(), drawn.sum()


def _rollout(tokens: list[list[int]], prompt_length: int, stop: int, temperature: float) -> dict:
    names = "tokens", "prompt_length", "stop", "temperature"
    return dict(zip(names, (torch.tensor(tokens), prompt_length, stop, temperature)))


_ROLLOUTS = {
    "stops at different places": _rollout(
        [[3, 1, 4, 0, 2, 2, 2], [1, 3, 0, 1, 1, 3, 1], [2, 2, 1, 4, 3, 1, 0]], 2, 0, 0.7
    ),
    "padding is the stop token": _rollout(
        [[1, 2, 4, 3, 5, 5], [4, 1, 1, 5, 5, 5], [2, 0, 3, 1, 1, 2], [3, 3, 3, 2, 5, 5]], 3, 5, 1.3
    ),
    "a row that never stops": _rollout([[2, 1, 1, 2, 1], [1, 2, 0, 1, 1]], 1, 0, 0.7),
    "a stop token in the prompt": _rollout(
        [[0, 3, 0, 1, 2, 0, 4, 4], [1, 2, 2, 3, 1, 1, 0, 3]], 3, 0, 0.6
    ),
}
for _number, (_about, _drawn) in enumerate(_ROLLOUTS.items()):
    on_policy_loss.probe(
        _about,
        normal(*_drawn["tokens"].shape, 6, seed=20 + _number, scale=2.0),
        normal(*_drawn["tokens"].shape, 6, seed=30 + _number, scale=2.0),
        _drawn,
        (2.0, 0.5, 3.0, 1.5)[_number],
    )


@on_policy_loss.also
def on_policy_loss_in_loops(teacher_logits, student_logits, rollout, temperature):
    total, count = 0.0, 0
    for row, tokens in enumerate(rollout["tokens"].tolist()):
        for t in range(rollout["prompt_length"], len(tokens)):
            p = torch.softmax(teacher_logits[row, t - 1] / temperature, dim=-1)
            q = torch.softmax(student_logits[row, t - 1] / temperature, dim=-1)
            total += temperature**2 * float((p * (p / q).log()).sum())
            count += 1
            if tokens[t] == rollout["stop"]:
                break
    return total, count


@on_policy_loss.symptom(
    "planned-count",
    seen="the counts are those of the places for new tokens",
    expected="counts of the tokens that were drawn, known only after sampling",
)
def _(results):
    places = [r["tokens"][:, r["prompt_length"] :].numel() for r in _ROLLOUTS.values()]
    return places == [float(results[name][1]) for name in _ROLLOUTS]


def _on_policy(
    teacher, student, rollout, temperature, *, keep=None, start=None, shift=1, power=2, term=None
):
    """The reference with one thing changed.

    keep(ended, stops): which words count; ended counts the stops up to and including a word.
    """
    start = rollout["prompt_length"] if start is None else start
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    log_q = F.log_softmax(student / temperature, dim=-1)
    terms = term(log_p, log_q) if term else log_p.exp() * (log_p - log_q)
    loss = temperature**power * terms.sum(dim=-1)[:, start - shift : len(terms[0]) - shift]
    stops = (rollout["tokens"] == rollout["stop"]).long()
    stops[:, : rollout["prompt_length"]] = 0
    ended = stops.cumsum(dim=-1)[:, start:]
    stops = stops[:, start:]
    drawn = keep(ended, stops) if keep else ended - stops == 0
    return loss[drawn].sum(), drawn.sum()


def _stopped_early(teacher, student, rollout, temperature):
    stops = (rollout["tokens"] == rollout["stop"]).long()
    drawn = (stops.cumsum(dim=-1) - stops == 0)[:, rollout["prompt_length"] :]
    return _on_policy(teacher, student, rollout, temperature, keep=lambda *_: drawn)


def _own_tokens(teacher, student, rollout, temperature):
    tokens = rollout["tokens"].roll(-1, dims=1)  # what stands behind each position
    picked = F.one_hot(tokens, student.shape[-1])
    return _on_policy(teacher, student, rollout, temperature, term=lambda _, log_q: -picked * log_q)


def _recount(change):
    """The reference's result, changed: change(sum, count, rollout)."""

    def answer(teacher, student, rollout, temperature):
        return change(*_on_policy(teacher, student, rollout, temperature), rollout)

    return answer


_name(
    on_policy_loss,
    (
        "planned-count",
        "the count is that of the places for new tokens; the sum is right",
        "a count of the tokens that were drawn",
        _recount(lambda total, _, r: (total, r["tokens"][:, r["prompt_length"] :].numel())),
    ),
    (
        "padding-counted",
        "what stands behind the stop token enters the sum and the count",
        "a row ends with its stop token",
        lambda *a: _on_policy(*a, keep=lambda ended, _: ended >= 0),
    ),
    (
        "padding-counted",
        "only stop tokens are left out, and padding of other ids is kept",
        "nothing behind the first drawn stop token counts, whatever its id is",
        lambda *a: _on_policy(*a, keep=lambda _, stops: stops == 0),
    ),
    (
        "stop-token-masked",
        "the stop token itself is left out, so nobody teaches the student when to stop",
        "the stop token was drawn too",
        lambda *a: _on_policy(*a, keep=lambda ended, _: ended == 0),
    ),
    (
        "whole-for-part",
        "the prompt's tokens count as if the student had drawn them",
        "only what was drawn",
        lambda *a: _on_policy(*a, start=1),
    ),
    (
        "whole-for-part",
        "a stop token in the prompt ends its row before anything was drawn",
        "only a stop token that was drawn ends a row",
        _stopped_early,
    ),
    (
        "off-by-one",
        "each token is compared at its own position, where the logits speak about the next one",
        "the logits that the token was drawn from",
        lambda *a: _on_policy(*a, shift=0),
    ),
    (
        "sampling-temperature-in-loss",
        "the models are compared at the temperature that the tokens were drawn at",
        "the loss has a temperature of its own",
        lambda t, s, rollout, _: _on_policy(t, s, rollout, rollout["temperature"]),
    ),
    (
        "temperature-ignored",
        "the models are compared at temperature 1, whatever the loss's temperature is",
        "distributions that change with the temperature",
        lambda t, s, rollout, _: _on_policy(t, s, rollout, 1.0),
    ),
    (
        "missing-t-squared",
        "the sum lacks the square of the temperature; the count is right",
        "a loss whose gradient keeps its size when the temperature changes",
        lambda *a: _on_policy(*a, power=0),
    ),
    (
        "kl-reversed",
        "the student's probabilities are the weights",
        "the KL from teacher to student; who drew the tokens does not turn it round",
        lambda t, s, *a: _on_policy(s, t, *a),
    ),
    (
        "ce-called-kl",
        "each token's loss is too large by the teacher's entropy",
        "0 for a student that agrees with its teacher",
        lambda *a: _on_policy(*a, term=lambda log_p, log_q: -log_p.exp() * log_q),
    ),
    (
        "divided-twice",
        "the first result is a mean already, and the caller will divide it by the count again",
        "a sum and a count",
        _recount(lambda total, count, _: (total / count, count)),
    ),
    (
        "batchmean-over-sequences",
        "the count is that of the rows",
        "a count of tokens",
        _recount(lambda total, _, rollout: (total, len(rollout["tokens"]))),
    ),
    (
        "labels-for-teacher",
        "the student is taught the tokens that it drew; the teacher has no part in it",
        "the teacher's distribution at every position that the student reached",
        _own_tokens,
    ),
)


samples_decide_the_direction = choice(
    "samples-decide-the-direction",
    source=("Q21",),
    difficulty=3,
    minutes=3,
    prompt=(
        "A loop draws whole texts y from the student and averages log Q(y|x) - log P(y|x) over "
        "them. What does the average estimate, and what does a student too small for its teacher "
        "learn from it?"
    ),
    hints=(
        "An average over draws is an expectation. Under whose distribution?",
        "Which texts can never add anything to this average?",
        "The weights are Q: write the sum over y out, and compare it with both directions of KL.",
    ),
    options=(
        wrong(
            "KL(P || Q): the student spreads over everything that the teacher can say.",
            "kl-reversed",
            seen=(
                "in that direction texts are weighed with P, so the teacher would have to draw them"
            ),
            expected="a sum weighed by the one who draws",
        ),
        right(
            "KL(Q || P): it keeps to texts that the teacher likes, and may drop some of its modes.",
            "What the student never says costs it nothing here. Whose texts are read and which way "
            "the models are compared are two choices: at each position of a text that the student "
            "drew, KL(P || Q) over the next word can be computed as well.",
        ),
        wrong(
            "The cross-entropy of the student on the teacher's texts: it copies the best of them.",
            "ce-called-kl",
            seen="the average is 0 when both models agree, which a cross-entropy is not",
            expected="a quantity that holds the logarithms of both models",
        ),
        wrong(
            (
                "The same as over texts from the data: with enough of them their source does not "
                "matter."
            ),
            "exposure-bias",
            seen="more texts of one kind do not become texts of the other kind",
            expected="a look at which prefixes are ever seen in training",
        ),
    ),
)


# A weak teacher and a strong student


@code(
    source=("Q28",),
    difficulty=3,
    minutes=12,
    prompt=(
        "A small, weak model supervises a large, strong one. Write "
        "`weak_to_strong_loss(weak_logits, strong_logits, labels, lambda_)`: the combined "
        "objective of chapter 5, summed over the rows and turned round so that it is minimised. "
        "lambda_ weighs the distillation term alone. Logits have shape (N, V). People have "
        "labelled only some of the rows: labels (N,) holds -1 for the others, which the weak "
        "model has answered all the same. The weak model is not trained."
    ),
    hints=(
        "Which term needs a label, and which needs only the weak model?",
        "A sum over the labelled rows, plus lambda_ times a sum over all rows.",
        (
            "`F.cross_entropy(..., ignore_index=-1, reduction='sum')`, and the KL from the weak "
            "model, whose logits are detached, to the strong one."
        ),
    ),
    explanation=(
        "Where a label and the weak model disagree, the sum of both terms leaves room for the "
        "truth; the distillation term alone has its minimum at a copy of the weak model."
    ),
)
def weak_to_strong_loss(weak_logits, strong_logits, labels, lambda_):
    """The combined loss over labelled and unlabelled rows: smaller is better. -> scalar"""
    log_p = F.log_softmax(weak_logits.detach(), dim=-1)
    log_q = F.log_softmax(strong_logits, dim=-1)
    truth = F.cross_entropy(strong_logits, labels, ignore_index=-1, reduction="sum")
    return truth + lambda_ * (log_p.exp() * (log_p - log_q)).sum()


def _pull_at_the_weak(answer, weak_logits, strong_logits, labels, lambda_):
    """1 where a gradient reaches the weak model, 0 where none does."""
    weak_logits, strong_logits = weak_logits.requires_grad_(), strong_logits.requires_grad_()
    try:
        loss = answer(weak_logits, strong_logits, labels, lambda_)
        if loss is None:
            return None
        if isinstance(loss, Tensor) and loss.requires_grad:
            loss.sum().backward()
    except NotImplementedError:
        raise
    except RuntimeError:  # numpy refuses what is in a graph: then nothing flows either
        pass
    return float(weak_logits.grad is not None)


_LABELS = {
    "three of five rows labelled": ([1, -1, 0, 2, -1], 2.0),
    "two of seven rows labelled": ([-1, -1, 3, -1, 0, -1, -1], 0.5),
    "all rows labelled": ([0, 2, 1, 1], 3.0),
    "no row labelled": ([-1, -1, -1], 1.5),
    "lambda 0": ([2, -1, 1, -1, 0, 3], 0.0),
}
for _number, (_about, (_given, _lambda)) in enumerate(_LABELS.items()):
    weak_to_strong_loss.probe(
        _about,
        normal(len(_given), 4, seed=40 + _number, scale=1.5),
        normal(len(_given), 4, seed=50 + _number, scale=1.5),
        torch.tensor(_given),
        _lambda,
    )
weak_to_strong_loss.probe(
    "where the gradient goes",
    normal(4, 3, seed=46),
    normal(4, 3, seed=56),
    torch.tensor([0, -1, 2, 1]),
    2.0,
    measure=_pull_at_the_weak,
    points_to="teacher-gets-gradient",
    expected="no gradient for the weak model",
)


@weak_to_strong_loss.also
def weak_to_strong_in_loops(weak_logits, strong_logits, labels, lambda_):
    loss = 0.0
    for weak, strong, label in zip(weak_logits.detach(), strong_logits, labels.tolist()):
        p, log_q = weak.softmax(-1), strong.log_softmax(-1)
        loss = loss + lambda_ * (p * (p.log() - log_q)).sum()
        loss = loss - (log_q[label] if label >= 0 else 0)
    return loss


def _weak(weak, strong, labels, lambda_, combine=None, kl=None, index=None):
    """The reference with one thing changed: how the rows' terms are combined, or one of them."""
    log_p, log_q = weak.detach().log_softmax(dim=-1), strong.log_softmax(dim=-1)
    truth = F.nll_loss(log_q, labels, ignore_index=-1, reduction="none")
    if index:
        truth = -log_q.gather(-1, index(labels)[:, None])[:, 0]
    match = kl(log_p, log_q) if kl else log_p.exp() * (log_p - log_q)
    match = match.sum(dim=-1)
    return combine(truth, match) if combine else truth.sum() + lambda_ * match.sum()


def _attached(weak, strong, labels, lambda_):
    match = F.kl_div(strong.log_softmax(dim=-1), weak.softmax(dim=-1), reduction="sum")
    return _weak(weak, strong, labels, 0) + lambda_ * match


def _combined(combine):
    """combine(truth, match, labels, lambda_) of the rows' terms."""
    return lambda w, s, labels, lambda_: _weak(
        w, s, labels, lambda_, lambda truth, match: combine(truth, match, labels, lambda_)
    )


_name(
    weak_to_strong_loss,
    (
        "argmax-sign",
        "the distance to the weak model is subtracted: minimising would make it larger",
        "both terms fall as the strong model gets better",
        _combined(lambda truth, match, _, weight: truth.sum() - weight * match.sum()),
    ),
    (
        "argmax-sign",
        "the labels' term has the wrong sign: minimising would make labels unlikely",
        "both terms fall as the strong model improves",
        _combined(lambda truth, match, _, weight: weight * match.sum() - truth.sum()),
    ),
    (
        "argmax-sign",
        "this is the objective as it is maximised",
        "something to be minimised",
        _combined(lambda truth, match, _, weight: -truth.sum() - weight * match.sum()),
    ),
    (
        "lambda-direction",
        "lambda weighs the labels",
        "lambda weighs the weak model's part",
        _combined(lambda truth, match, _, weight: weight * truth.sum() + match.sum()),
    ),
    (
        "conventions-mixed",
        "the labels lose weight as lambda grows: that is the convention with two weights",
        "the labels keep the weight 1",
        _combined(lambda truth, match, _, w: (1 - w) * truth.sum() + w * match.sum()),
    ),
    (
        "conventions-mixed",
        "the weights are made to sum to 1: that is the other convention, converted",
        "the labels keep the weight 1, however large lambda is",
        _combined(lambda truth, match, _, w: (truth.sum() + w * match.sum()) / (1 + w)),
    ),
    (
        "larger-taken-for-teacher",
        "the strong model is the teacher here, and the weak one is to learn",
        "the teacher is the one that supervises, whatever its size",
        lambda weak, strong, *a: _weak(strong, weak, *a),
    ),
    (
        "kl-reversed",
        "the strong model's probabilities are the weights of the distillation term",
        "weights that come from the supervisor",
        lambda *a: _weak(*a, kl=lambda log_p, log_q: log_q.exp() * (log_q - log_p)),
    ),
    (
        "unlabelled-counted",
        "the -1 of an unlabelled row is taken for a word: indexing finds the last one",
        "a row without a label has no label term",
        lambda *a: _weak(*a, index=lambda labels: labels % a[1].shape[-1]),
    ),
    (
        "unlabelled-counted",
        "unlabelled rows are taught the word number 0",
        "no label term where there is no label",
        lambda *a: _weak(*a, index=lambda labels: labels.clamp(min=0)),
    ),
    (
        "term-left-out",
        "unlabelled rows add nothing, although the weak model has answered them",
        "the weak model's answers count in every row",
        _combined(lambda truth, match, y, w: truth.sum() + w * match[y >= 0].sum()),
    ),
    (
        "term-left-out",
        "labelled rows have no distillation term, although the weak model has answered them too",
        "the weak model's answers count in all rows",
        _combined(lambda truth, match, y, w: truth.sum() + w * match[y < 0].sum()),
    ),
    (
        "term-left-out",
        "the labels have no influence: this is the distillation term alone",
        "what people know enters as well",
        _combined(lambda truth, match, _, weight: weight * match.sum()),
    ),
    (
        "hard-for-soft",
        "the weak model's first choices are used like labels, as if fine-tuning on its data",
        "its whole distribution, doubt included",
        lambda *a: _weak(
            *a, kl=lambda log_p, log_q: -F.one_hot(log_p.argmax(-1), log_p.shape[-1]) * log_q
        ),
    ),
    (
        "ce-called-kl",
        "the distillation term is not 0 where both models agree",
        "a divergence: 0 for a perfect match",
        lambda *a: _weak(*a, kl=lambda log_p, log_q: -log_p.exp() * log_q),
    ),
    (
        "probs-for-log-probs",
        "the strong model's probabilities stand where logarithms are expected",
        "a distillation term that is never negative",
        lambda *a: _weak(*a, kl=lambda log_p, log_q: log_p.exp() * (log_p - log_q.exp())),
    ),
    (
        "mean-for-sum",
        "both terms are divided by the number of rows",
        "sums over the rows, as in the objective",
        _combined(lambda truth, match, _, weight: truth.mean() + weight * match.mean()),
    ),
    (
        "mean-for-sum",
        "each term is divided by the number of rows that it has",
        "sums, which can be added up over batches",
        lambda w, s, y, weight: (
            F.cross_entropy(s, y, ignore_index=-1)
            + weight * _weak(w, s, y, 0, lambda _, match: match.mean())
        ),
    ),
    (
        "teacher-gets-gradient",
        "the value is right, but a gradient flows into the weak model",
        "a weak model that stays as it is",
        _attached,
    ),
)


@number(
    source=("Q28",),
    difficulty=2,
    minutes=4,
    decimals=2,
    prompt=(
        "A weak supervisor makes errors on 28 % of a test set. A strong model trained on its "
        "supervision alone makes 16 % errors; the same strong model trained on human labels, "
        "which is the ceiling, 8 %. Which share of the performance gap was recovered (1 for all "
        "of it)?"
    ),
    hints=(
        "The gap lies between the weak supervisor and the ceiling.",
        "How far did the student come from the weak end, and how far could it have come?",
        "Divide one drop of the error rate by another; both start at 28 %.",
    ),
    explanation="0 means a copy of the weak model, 1 that human labels would have added nothing.",
)
def gap_recovered():
    """The share of the gap between weak supervisor and ceiling that the student closes."""
    weak, student, ceiling = 0.28, 0.16, 0.08
    return (weak - student) / (weak - ceiling)


for _id, _value, _seen, _expected in (
    (
        "gap-to-the-wrong-end",
        0.16 / 0.28,
        "the value is what is left of the supervisor's errors",
        "what was removed, measured on the gap",
    ),
    (
        "gap-to-the-wrong-end",
        (0.16 - 0.08) / (0.28 - 0.08),
        "the value is the part of the gap that is still open",
        "the part that was closed",
    ),
    (
        "gap-to-the-wrong-end",
        (0.28 - 0.16) / 0.28,
        "the gap is measured down to no errors at all, which the strong model never reaches",
        "a gap that ends at the ceiling",
    ),
    (
        "gap-to-the-wrong-end",
        (0.28 - 0.16) / (0.16 - 0.08),
        "what was closed is divided by what is still open",
        "a division by the whole gap",
    ),
    (
        "ratio-turned-round",
        (0.28 - 0.08) / (0.28 - 0.16),
        "the whole gap is divided by its part",
        "a share of at most 1",
    ),
    (
        "ratio-and-difference",
        0.28 - 0.16,
        "the value is the drop of the error rate itself",
        "the drop as a share of the gap",
    ),
    (
        "ratio-and-difference",
        (1 - 0.16) / (1 - 0.08),
        "accuracies are divided, and even a copy of the weak model would score high",
        "0 for a student that is no better than its supervisor",
    ),
):
    gap_recovered.wrong(_id, _value, seen=_seen, expected=_expected)


three_ways_to_supervise = choice(
    "three-ways-to-supervise",
    source=("Q28",),
    difficulty=3,
    minutes=4,
    prompt=(
        "A weak model errs in a systematic way: it takes irony for praise. It may supervise a "
        "strong one (1) by writing labels, on which the strong one is fine-tuned; (2) directly, "
        "its distribution standing in the loss; (3) as in (2), with the true labels of some "
        "inputs in the loss as well. Which statement is right?"
    ),
    hints=(
        "For (1) and (2): at which student is the loss smallest, if the student can be anything?",
        "What does a distribution say that a label drawn from it does not?",
        "Only something that knows better can contradict the weak model.",
    ),
    options=(
        wrong(
            "In (3) the true labels change nothing: with its size the strong model sees through "
            "irony anyway, however long it is trained.",
            "bigger-is-better",
            seen="in (2) a larger model can fit its supervisor's errors all the better",
            expected="a look at which student the loss rewards most",
        ),
        wrong(
            "In none of the three can the strong model become better than the weak one.",
            "teacher-as-ceiling",
            seen="strong models do pass weak supervisors: they generalise before they copy errors",
            expected="a statement about what the loss says, not a limit that it does not set",
        ),
        wrong(
            "(1) and (2) are the same: a label says what the weak model thinks.",
            "string-for-distribution",
            seen="one label does not show whether the weak model was sure",
            expected="the difference between a choice and a distribution",
        ),
        right(
            "(2) also passes on how unsure the weak model is; in (1) and (2) the loss is smallest "
            "at a copy of it, irony included; only in (3) something contradicts it.",
            "Stopping early and confidence in itself help a student to leave its supervisor's "
            "errors behind; the labels are the only part of the loss that asks for it.",
        ),
        wrong(
            "In (2) the weak model learns too, and (3) teaches it irony.",
            "teacher-trained",
            seen="the weak model stays as it is in all three",
            expected="one model that is trained: the strong one",
        ),
    ),
)


# A context becomes a soft prompt


@code(
    source=("Q29",),
    difficulty=4,
    minutes=15,
    prompt=(
        "A long context is to be compressed into a soft prompt: k vectors of real numbers, which "
        "need not be the vectors of any words. Write `soft_prompt_step(model, context, user, "
        "soft, rate)`: the soft prompt after one step of gradient descent. The teacher is the "
        "model with the context (C, d) before each user input (B, n, d); the student is the same "
        "model with the soft prompt (k, d) there instead. The loss is the mean over the rows of "
        "the KL from teacher to student. `model(vectors)` takes (B, length, d) and returns logits "
        "(B, V). Leave the model as it was: neither its parameters nor its gradients may change."
    ),
    hints=(
        "Two calls of one model: what stands before the user's input is all that differs.",
        (
            "The only thing that is trained is the soft prompt: ask for the gradient with respect "
            "to it."
        ),
        (
            "`soft.detach().clone().requires_grad_()`; `torch.cat` of the expanded prompt and "
            "user; `torch.autograd.grad(loss, soft)` fills no one's .grad."
        ),
    ),
    explanation=(
        "Cross-entropy in place of KL gives the same step: the teacher's entropy has no gradient "
        "in the soft prompt. What the context did now costs k positions instead of C."
    ),
)
def soft_prompt_step(model, context, user, soft, rate):
    """The soft prompt, one step nearer to the answers with the full context. -> (k, d)"""

    def answers(prompt):
        rows = torch.cat([prompt.expand(len(user), -1, -1), user], dim=1)
        return F.log_softmax(model(rows), dim=-1)

    soft = soft.detach().clone().requires_grad_()
    with torch.no_grad():
        log_p = answers(context)
    log_q = answers(soft)
    loss = (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()
    (gradient,) = torch.autograd.grad(loss, soft)
    return soft.detach() - rate * gradient


class _Reader(nn.Module):
    """Reads vectors in their order and answers with logits."""

    def __init__(self, d: int, words: int, seed: int):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.read, self.answer = nn.GRU(d, 8, batch_first=True), nn.Linear(8, words)
        with torch.no_grad():
            self.answer.weight.mul_(6.0)  # so that answers differ visibly

    def forward(self, vectors):
        return self.answer(self.read(vectors)[0][:, -1])


def _left_behind(answer, model, *args):
    """Whether the model's parameters have moved, and whether they have gradients."""
    before = [p.detach().clone() for p in model.parameters()]
    if answer(model, *args) is None:
        return None
    moved = any(not torch.equal(p, old) for p, old in zip(model.parameters(), before))
    return torch.tensor([moved, any(p.grad is not None for p in model.parameters())])


def _compression(rows: int, user: int, long: int, short: int, d: int, seed: int) -> tuple:
    shapes = (long, d), (rows, user, d), (short, d)
    return tuple(normal(*shape, seed=seed + i) for i, shape in enumerate(shapes))


soft_prompt_step.probe(
    "a soft prompt of 2", _Reader(3, 6, 1), *_compression(4, 2, 7, 2, 3, 60), 2.0
)
soft_prompt_step.probe(
    "a soft prompt of 1", _Reader(5, 4, 2), *_compression(3, 1, 6, 1, 5, 65), 0.5
)
soft_prompt_step.probe(
    "a soft prompt of 3", _Reader(4, 7, 3), *_compression(2, 3, 5, 3, 4, 70), 1.0
)
soft_prompt_step.probe(
    "the model afterwards",
    *(_Reader(3, 5, 4), *_compression(3, 2, 6, 2, 3, 75), 1.5),
    measure=_left_behind,
    points_to="teacher-gets-gradient",
    expected="a model with the parameters and the gradients that it had before",
)


@soft_prompt_step.also
def soft_prompt_step_by_cross_entropy(model, context, user, soft, rate):
    rows = len(user)
    frozen = [p.requires_grad_(False) for p in model.parameters()]
    target = model(torch.cat([torch.stack([context] * rows), user], 1)).softmax(-1)
    soft = torch.nn.Parameter(soft.clone())
    logits = model(torch.cat([torch.stack([soft] * rows), user], 1))
    F.cross_entropy(logits, target).backward()
    torch.optim.SGD([soft], lr=rate).step()
    [p.requires_grad_(True) for p in frozen]
    return soft


def _before(prompt: Tensor, user: Tensor) -> Tensor:
    return torch.cat([prompt.expand(len(user), -1, -1), user], dim=1)


def _step(model, context, user, soft, rate, loss=None, teacher=None, student=None):
    """The reference with one thing changed: the loss, or what teacher or student reads."""
    soft = soft.detach().clone().requires_grad_()
    reads = student(soft) if student else _before(soft, user)
    with torch.no_grad():
        log_p = model(_before(context, user) if teacher is None else teacher).log_softmax(dim=-1)
    log_q = model(reads).log_softmax(dim=-1)
    value = loss(log_p, log_q) if loss else (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()
    return soft.detach() - rate * torch.autograd.grad(value, soft)[0]


def _by_optimiser(model, context, user, soft, rate, train_all=False):
    soft = nn.Parameter(soft.clone())
    target = model(_before(context, user)).detach().softmax(dim=-1)
    optimiser = torch.optim.SGD([soft, *(model.parameters() if train_all else ())], lr=rate)
    F.cross_entropy(model(_before(soft, user)), target).backward()
    optimiser.step()
    return soft


_name(
    soft_prompt_step,
    (
        "teacher-trained",
        "the model's parameters have moved",
        "a frozen model: only the soft prompt is trained",
        lambda *a: _by_optimiser(*a, train_all=True),
    ),
    (
        "teacher-gets-gradient",
        "the model's parameters have collected gradients, which nobody asked for",
        "a gradient for the soft prompt alone",
        _by_optimiser,
    ),
    (
        "argmax-sign",
        "the step goes uphill: the loss is larger after it",
        "a step that makes the loss smaller",
        lambda model, context, user, soft, rate: _step(model, context, user, soft, -rate),
    ),
    (
        "student-gets-no-gradient",
        "the soft prompt comes back as it was: no gradient has reached it",
        "two models that read different prompts, and a path from the loss to the soft one",
        lambda model, context, user, soft, rate: soft,
    ),
    (
        "simple-input-for-teacher",
        "the teacher does not read the context, so there is nothing to compress",
        "a teacher that reads the full context and the user's input",
        lambda *a: _step(*a, teacher=a[2]),
    ),
    (
        "user-input-dropped",
        "the student reads its soft prompt without the user's input",
        "both models are asked the same thing",
        lambda *a: _step(*a, student=lambda soft: soft.expand(len(a[2]), -1, -1)),
    ),
    (
        "full-input-for-student",
        "the student still reads the long context, before its soft prompt",
        "a student that does without what was compressed",
        lambda *a: _step(*a, student=lambda soft: _before(torch.cat([a[1], soft]), a[2])),
    ),
    (
        "full-input-for-student",
        "the student still reads the long context, behind its soft prompt",
        "a student that reads the soft prompt and the user's input alone",
        lambda *a: _step(*a, student=lambda soft: _before(torch.cat([soft, a[1]]), a[2])),
    ),
    (
        "prompt-after-input",
        "the soft prompt stands behind the user's input",
        "a soft prompt in the place where the context was",
        lambda *a: _step(*a, student=lambda soft: _before(soft, a[2]).roll(-len(soft), dims=1)),
    ),
    (
        "prompt-after-input",
        "context and soft prompt both stand behind the user's input",
        "what instructs the model comes first, for teacher and student",
        lambda *a: _step(
            *a,
            teacher=_before(a[1], a[2]).roll(-len(a[1]), dims=1),
            student=lambda soft: _before(soft, a[2]).roll(-len(soft), dims=1),
        ),
    ),
    (
        "kl-reversed",
        "the student's probabilities are the weights",
        "the KL from teacher to student",
        lambda *a: _step(*a, loss=lambda p, q: (q.exp() * (q - p)).sum(dim=-1).mean()),
    ),
    (
        "hard-for-soft",
        "only the teacher's first choice enters the loss",
        "the teacher's whole distribution",
        lambda *a: _step(*a, loss=lambda p, q: F.nll_loss(q, p.argmax(dim=-1))),
    ),
    (
        "sum-for-mean",
        "the step grows with the number of rows",
        "a mean over the rows",
        lambda *a: _step(*a, loss=lambda p, q: -(p.exp() * q).sum()),
    ),
    (
        "mean-over-vocab",
        "the larger the vocabulary, the smaller the step",
        "a sum over the vocabulary",
        lambda *a: _step(*a, loss=lambda p, q: -(p.exp() * q).mean()),
    ),
    (
        "probs-for-log-probs",
        "the student's probabilities stand where their logarithms are expected",
        "a loss that punishes a small probability without bound",
        lambda *a: _step(*a, loss=lambda p, q: -(p.exp() * q.exp()).sum(dim=-1).mean()),
    ),
)


what_a_soft_prompt_is = choice(
    "what-a-soft-prompt-is",
    source=("Q29",),
    difficulty=2,
    minutes=2,
    prompt=(
        "An instruction of 800 tokens is distilled into a soft prompt of 10 vectors for one frozen "
        "model. What has been learned, and what is it good for?"
    ),
    hints=(
        "Count the numbers that training has changed.",
        "Could the 10 vectors be printed as text? Could another model use them?",
        "Gradient descent moves a vector by small amounts in every direction; words lie far apart.",
    ),
    options=(
        wrong(
            "The 10 most important tokens of the instruction; any model can be given them.",
            "soft-prompt-as-words",
            seen="gradient descent gives vectors that lie between the words",
            expected="something that only the model it was trained with can read",
        ),
        wrong(
            (
                "A model that knows the instruction: its parameters were trained until it needs "
                "no prompt."
            ),
            "teacher-trained",
            seen="the model was frozen",
            expected="a look at what the gradient was taken for",
        ),
        right(
            "10 vectors of real numbers, between and beyond the words, that make this model answer "
            "as with the instruction; each call reads 790 positions fewer.",
            (
                "Teacher: the model with the full context. Student: the same model with the soft "
                "prompt."
            ),
        ),
        wrong(
            "Good answers to the inputs of training, learned from people's labels.",
            "labels-for-teacher",
            seen=(
                "no label takes part: the targets are the model's own answers with the instruction"
            ),
            expected="a teacher that reads the full instruction",
        ),
    ),
)
