"""KL from real logits: padded slots and half precision."""

import math

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.padding import PADDING_SWITCHES, kl_of_slots
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


def _bfloat16_pair(rows: int, words: int, seed: int):
    teacher = normal(rows, words, seed=seed, scale=2.0)
    student = teacher + normal(rows, words, seed=seed + 500, scale=0.3)
    return teacher.bfloat16(), student.bfloat16(), words


@code(
    source=("Q18",),
    difficulty=4,
    minutes=12,
    rtol=1e-3,
    prompt=(
        "Output matrices are often padded to round sizes. teacher_logits (B, V1) and "
        "student_logits (B, V2) share their first `tokens` slots; any slot after these belongs to "
        "no token and holds an arbitrary number. Write `kl_over_tokens(teacher_logits, "
        "student_logits, tokens)`: KL(P||Q) over the real tokens, for each row. The logits may "
        "come in bfloat16; be exact to 0.1 %. The values are enough; no gradient is needed."
    ),
    hints=(
        "A slot that is no token must not get any probability. Which logit says that?",
        "Remove such slots before the softmax. And in which precision is the softmax taken?",
        "Cut both to the first `tokens` slots, call .float(), then log_softmax and the usual sum.",
    ),
    explanation=(
        "Real logits often lie near -8, so a logit of 0 would be the likeliest 'token'. bfloat16 "
        "has 8 significant bits: a log-probability of -10 is only known to 0.03."
    ),
)
def kl_over_tokens(teacher_logits, student_logits, tokens):
    """KL(P||Q) over the real tokens of each row, in nats. (B, V1), (B, V2) -> (B,)"""
    log_p = torch.log_softmax(teacher_logits[:, :tokens].float(), dim=-1)
    log_q = torch.log_softmax(student_logits[:, :tokens].float(), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def _padded_pair(rows: int, tokens: int, teacher: int, student: int, seed: int):
    """Logits around -8 for the tokens and around -7 in the padding, with so many padded slots."""
    logits = []
    for i, padding in enumerate((teacher, student)):
        real = normal(rows, tokens, seed=seed + i, scale=1.5) - 8
        logits.append(torch.cat([real, normal(rows, padding, seed=seed + 10 + i) - 7], dim=1))
    return *logits, tokens


kl_over_tokens.probe("no padding", *_padded_pair(3, 5, 0, 0, seed=461))
kl_over_tokens.probe("the student padded", *_padded_pair(2, 6, 0, 2, seed=462))
kl_over_tokens.probe("the teacher padded", *_padded_pair(4, 5, 3, 0, seed=463))
kl_over_tokens.probe("both padded, differently", *_padded_pair(2, 7, 1, 4, seed=464))
kl_over_tokens.probe("both padded alike", *_padded_pair(3, 4, 4, 4, seed=465))
kl_over_tokens.probe(
    "logits far below the padding's",
    torch.tensor([[-100.0, -101.0, -98.0, 0.0], [-99.0, -103.0, -99.0, 0.0]]),
    torch.tensor([[-200.0, -199.0, -201.0, 0.0, 0.0], [-202.0, -200.0, -203.0, 0.0, 0.0]]),
    3,
)
no_floor(
    kl_over_tokens,
    torch.tensor([[1.0, 0.0, 5.0], [0.0, 1.0, 5.0]]),
    torch.tensor([[UNLIKELY, 0.0], [0.0, UNLIKELY]]),
    2,
)
for _words in (2048, 4096):
    kl_over_tokens.probe(
        f"{_words} tokens in bfloat16",
        *_bfloat16_pair(2, _words, seed=470 + _words),
        points_to="half-precision-softmax",
        expected="a softmax in float32 or better",
    )


@kl_over_tokens.also
def kl_over_tokens_masked(teacher_logits, student_logits, tokens):
    def log_softmax(logits):
        padding = torch.arange(logits.shape[1]) >= tokens
        return logits.double().masked_fill(padding, -math.inf).log_softmax(dim=-1)[:, :tokens]

    log_p, log_q = log_softmax(teacher_logits), log_softmax(student_logits)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)


def _converted_late(teacher, student, tokens):
    return tuple(x[:, :tokens].log_softmax(dim=-1).float() for x in (teacher, student))


kl_over_tokens.mistakes(
    ("half-precision-softmax",
     "right in float32, wrong in bfloat16: the logits are used as they come",
     "enough digits before the softmax", kl_of_slots(cast=lambda x: x)),
    ("half-precision-softmax",
     "right in float32, wrong in bfloat16: digits are added after the softmax, too late",
     "more digits before the softmax", kl_of_slots(_converted_late, cast=lambda x: x)),
    ("logits-for-probabilities", "the student's logits stand where its log-probabilities belong",
     "a softmax for each model",
     kl_of_slots(lambda t, s, n: (t[:, :n].log_softmax(dim=-1), s[:, :n]))),
)  # fmt: skip
name_switches(
    kl_over_tokens, kl_of_slots, *PADDING_SWITCHES, *kl_switches(),
    ("batch-for-row", "there is one value for the whole batch", "one value for each row",
     {"kl": lambda log_p, log_q: kl_of_logs(log_p, log_q).mean()}),
)  # fmt: skip
name_lookalikes(kl_over_tokens, lambda kl: kl_of_slots(kl=kl))
