"""Room 5: the divergence that was rounded away."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.chapter_13.showcase import with_code
from kdlib.exercises.kinds.functions import code


def broken_small_kl(teacher_logits, student_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    terms = log_p.exp() * (log_p - log_q)
    return terms.clamp(min=0).float().sum(dim=-1)  # a KL is at least 0


@code(
    source=(),
    difficulty=2,
    minutes=6,
    atol=1e-5,
    prompt=with_code(
        "A student that is nearly as good as its teacher still shows a large KL here, in every "
        "precision; in bfloat16 it is worse. Write `bug_small_kl(teacher_logits, student_logits)` "
        "without the two bugs, for evaluation: the KL from teacher to student of each row. Logits "
        "(N, V), in float32 or in bfloat16.",
        broken_small_kl,
    ),
    hints=(
        "A sum may be at least 0 without all of its terms being so.",
        (
            "In bfloat16 a logarithm near -10 has steps of 1/16. Where does the conversion have "
            "to stand?"
        ),
        "Convert both models' logits with `.float()` before the log-softmax, and clamp nothing.",
    ),
    explanation="Where the student gives a word more than the teacher does, its term is negative.",
)
def bug_small_kl(teacher_logits, student_logits):
    """KL from teacher to student of each row, exact enough also where it is small. -> (N,)"""
    log_p = F.log_softmax(teacher_logits.float(), dim=-1)
    log_q = F.log_softmax(student_logits.float(), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def _nearly_equal(rows: int, words: int, gap: float, seed: int) -> tuple[Tensor, Tensor]:
    teacher = normal(rows, words, seed=seed)
    return teacher, teacher + normal(rows, words, seed=seed + 1, scale=gap)


bug_small_kl.probe("3 rows, 6 words", *_nearly_equal(3, 6, 1.0, 80))
bug_small_kl.probe("2 rows, 50 words", *_nearly_equal(2, 50, 0.5, 82))
bug_small_kl.probe("4 rows, 9 words", *_nearly_equal(4, 9, 0.3, 84))
for _rows, _words in ((2, 4000), (3, 500)):
    bug_small_kl.probe(
        f"{_rows} rows, {_words} words, bfloat16",
        *(logits.bfloat16() for logits in _nearly_equal(_rows, _words, 0.1, _words)),
        points_to="half-precision-softmax",
        expected="the divergence that belongs to these logits, to three digits",
    )
no_floor(
    bug_small_kl,
    torch.tensor([[0.0, 1.0], [1.0, 0.0]]),
    torch.tensor([[0.0, UNLIKELY], [1.0, 2.0]]),
)


@bug_small_kl.also
def small_kl_by_library(teacher_logits, student_logits):
    p, q = (
        torch.distributions.Categorical(logits=x.double()) for x in (teacher_logits, student_logits)
    )
    return torch.distributions.kl_divergence(p, q)


def _kl(kl=kl_of_logs, early=torch.Tensor.float, late=torch.Tensor.float):
    """The divergence with conversions before and after the log-softmax."""
    return lambda t, s: kl(*(late(F.log_softmax(early(x), dim=-1)) for x in (t, s)))


def _as_it_is(x):
    return x


bug_small_kl.wrong(
    "terms-clamped",
    seen="the shown code is unchanged: negative terms are cut off, and the logarithms are coarse",
    expected="a sum of all terms, in full precision",
)(broken_small_kl)
name_switches(
    bug_small_kl, _kl,
    ("half-precision-softmax",
     "the log-softmax runs in bfloat16: converting its result brings no digit back",
     "a conversion of the logits themselves", {"early": _as_it_is}),
    ("half-precision-softmax", "everything runs in the precision that the logits come in",
     "float32, whatever the logits come in", {"early": _as_it_is, "late": _as_it_is}),
    ("terms-clamped",
     "the precision is mended; the negative terms are still cut off, so the sum is too large",
     "a sum in which terms of both signs cancel",
     {"kl": lambda p, q: (p.exp() * (p - q)).clamp(min=0).sum(dim=-1)}),
    ("terms-clamped", "the negative terms are counted as positive", "terms that keep their signs",
     {"kl": lambda p, q: (p.exp() * (p - q)).abs().sum(dim=-1)}),
    *kl_switches(),
    ("batch-for-row", "there is one value for the whole batch", "one value for each row",
     {"kl": lambda p, q: kl_of_logs(p, q).mean()}),
)  # fmt: skip
name_lookalikes(bug_small_kl, lambda kl: _kl(kl=kl))
