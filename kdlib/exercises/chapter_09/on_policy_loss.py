"""The loss on texts that the student wrote."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, trains_the_student
from kdlib.exercises.authoring.inputs import logit_pair
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
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
        "its square, as a tensor that the student can learn from; the count is the number of these "
        "tokens."
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


def _rollout(tokens: list[list[int]], prompt_length: int, stop: int, temperature: float):
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
        *logit_pair(*_drawn["tokens"].shape, 6, seed=20 + _number),
        _drawn,
        (2.0, 0.5, 3.0, 1.5)[_number],
    )
no_floor(
    on_policy_loss,
    torch.zeros(1, 3, 3),
    torch.tensor([[[0.0, 1.0, 2.0], [0.0, UNLIKELY, 1.0], [1.0, UNLIKELY, 0.0]]]),
    *(_rollout([[1, 0, 2]], 1, 2, 0.7), 1.0),
)
trains_the_student(
    on_policy_loss,
    *logit_pair(3, 7, 6, seed=27),
    *(_ROLLOUTS["stops at different places"], 2.0),
    measure=gradient_in(1, loss=lambda result: result[0]),
)


@on_policy_loss.also
def on_policy_loss_in_loops(teacher_logits, student_logits, rollout, temperature):
    total, count = 0.0, 0
    for row, tokens in enumerate(rollout["tokens"].tolist()):
        for t in range(rollout["prompt_length"], len(tokens)):
            p = torch.softmax(teacher_logits[row, t - 1] / temperature, dim=-1)
            q = torch.softmax(student_logits[row, t - 1] / temperature, dim=-1)
            total += temperature**2 * (p * (p / q).log()).sum()
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


def _own(rollout):
    """The places behind the prompt. (1, L)"""
    return torch.arange(rollout["tokens"].shape[1])[None] >= rollout["prompt_length"]


def _behind_first(rollout):
    return torch.arange(rollout["tokens"].shape[1])[None] > 0


def _not_after(stops):
    return stops.long().cumsum(dim=-1) - stops.long() == 0


def _drawn_by_student(rollout):
    return _own(rollout) & _not_after((rollout["tokens"] == rollout["stop"]) & _own(rollout))


def _on_policy(
    kl=kl_of_logs,
    at=lambda temperature, rollout: temperature,
    factor=lambda temperature, rollout: temperature**2,
    shift=1,
    counted=_drawn_by_student,
    result=lambda total, count, rollout: (total, count),
):
    """The loss with one thing changed. counted(rollout) -> (B, L): which tokens count."""

    def answer(teacher, student, rollout, temperature):
        soft = at(temperature, rollout)
        terms = kl((teacher / soft).log_softmax(dim=-1), (student / soft).log_softmax(dim=-1))
        drawn = counted(rollout)
        total = factor(temperature, rollout) * terms.roll(shift, dims=1)[drawn].sum()
        return result(total, drawn.sum(), rollout)

    return answer


def _sampled_at(temperature, rollout):
    return rollout["temperature"]


def _places(rollout):
    return rollout["tokens"][:, rollout["prompt_length"] :].numel()


@on_policy_loss.wrong(
    "labels-for-teacher",
    seen="the student is taught the tokens that it drew; the teacher has no part in it",
    expected="the teacher's distribution at every position that the student reached",
)
def on_policy_own_tokens(teacher, student, rollout, temperature):
    log_q = (student / temperature).log_softmax(dim=-1)
    taught = log_q.gather(-1, rollout["tokens"].roll(-1, dims=1)[..., None])[..., 0]
    return _on_policy(kl=lambda *_: -taught)(teacher, student, rollout, temperature)


name_switches(
    on_policy_loss, _on_policy,
    ("planned-count", "the count is that of the places for new tokens; the sum is right",
     "a count of the tokens that were drawn",
     {"result": lambda total, _, rollout: (total, _places(rollout))}),
    ("padding-counted", "what stands behind the stop token enters the sum and the count",
     "a row ends with its stop token",
     {"counted": lambda rollout: _own(rollout).expand_as(rollout["tokens"])}),
    ("padding-counted", "only stop tokens are left out, and padding of other ids is kept",
     "nothing behind the first drawn stop token counts, whatever its id is",
     {"counted": lambda rollout: _own(rollout) & (rollout["tokens"] != rollout["stop"])}),
    ("stop-token-masked",
     "the stop token itself is left out, so nobody teaches the student when to stop",
     "the stop token was drawn too",
     {"counted": lambda r: _drawn_by_student(r) & (r["tokens"] != r["stop"])}),
    ("whole-for-part", "the prompt's tokens count as if the student had drawn them",
     "only what was drawn",
     {"counted": lambda r: (_drawn_by_student(r) | ~_own(r)) & _behind_first(r)}),
    ("whole-for-part", "a stop token in the prompt ends its row before anything was drawn",
     "only a stop token that was drawn ends a row",
     {"counted": lambda r: _own(r) & _not_after(r["tokens"] == r["stop"])}),
    ("off-by-one",
     "each token is compared at its own position, where the logits speak about the next one",
     "the logits that the token was drawn from", {"shift": 0}),
    ("sampling-temperature-in-loss",
     "the models are compared at the temperature that the tokens were drawn at",
     "the loss has a temperature of its own",
     {"at": _sampled_at, "factor": lambda *temperatures: _sampled_at(*temperatures) ** 2}),
    ("sampling-temperature-in-loss",
     "the models are softened as they were for drawing; only the factor is the loss's own",
     "a loss whose temperature has nothing to do with that of sampling", {"at": _sampled_at}),
    ("temperature-ignored",
     "the models are compared at temperature 1, whatever the loss's temperature is",
     "distributions that change with the temperature", {"at": lambda *_: 1.0}),
    ("temperature-ignored", "the loss's temperature has no effect at all",
     "a loss at its own temperature", {"at": lambda *_: 1.0, "factor": lambda *_: 1.0}),
    ("missing-t-squared", "the sum lacks the square of the temperature; the count is right",
     "a loss whose gradient does not fall like 1/T² at high temperatures",
     {"factor": lambda *_: 1.0}),
    ("missing-t-squared", "the sum is multiplied by the temperature once",
     "one factor for each of the two softmaxes that temperature divides",
     {"factor": lambda temperature, rollout: temperature}),
    *kl_switches(),
    ("divided-twice",
     "the first result is a mean already, and the caller will divide it by the count again",
     "a sum and a count", {"result": lambda total, count, _: (total / count, count)}),
    ("batchmean-over-sequences", "the count is that of the rows", "a count of tokens",
     {"result": lambda total, _, rollout: (total, len(rollout["tokens"]))}),
)  # fmt: skip
name_lookalikes(on_policy_loss, lambda kl: _on_policy(kl=kl))
