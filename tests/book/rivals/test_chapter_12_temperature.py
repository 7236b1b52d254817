"""Chapter 12: where softening helps in a toy, with other teachers, students and inputs."""

import pytest
import torch
from rivals.headlines import headline

from kdlib.claims.rules import interval
from kdlib.losses.divergences import forward_kl

STUDENTS, SIZE, CLASSES, STEPS, RATES = 10, 8, 10, 400, (0.01, 0.03, 0.1)


def judged(sharpness, temperature, rate, seed, hidden, inputs):
    """KL on new inputs, one a student."""
    draws = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(STUDENTS, *shape, generator=draws, dtype=torch.float64)

    def network(width, scale):
        pairs = ((SIZE, width), (width, CLASSES))
        return [scale / a**0.5 * normal(a, b) for a, b in pairs]

    def logits(weights, x):
        return torch.tanh(1.5 * x @ weights[0]) @ weights[1]

    teacher, student = network(32, 1.0), network(hidden, 0.5)
    x, new = normal(inputs, SIZE), normal(300, SIZE)
    log_p = (sharpness * logits(teacher, x) / temperature).log_softmax(-1)
    optimizer = torch.optim.Adam([w.requires_grad_() for w in student], rate)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        log_q = (logits(student, x) / temperature).log_softmax(-1)
        optimizer.zero_grad()
        (temperature**2 * forward_kl(log_p, log_q).mean(-1)).sum().backward()
        optimizer.step()
        slower.step()
    log_p, log_q = sharpness * logits(teacher, new), logits(student, new).detach()
    return forward_kl(log_p.log_softmax(-1), log_q.log_softmax(-1)).mean(-1)


@headline(
    12,
    "In a toy of ten classes a temperature of 4 helps where the teacher is half sure, and hurts where "
    "it is very sure.",
)
@pytest.mark.parametrize(("hidden", "inputs", "seed"), [(6, 60, 1), (4, 60, 2), (8, 100, 3)])
def test_12_5_where_softening_helps(hidden, inputs, seed):
    """Rival: the surer the teacher, the more softening helps; or it is these students and draws."""
    leads = {}
    for sharpness in (3, 30):
        kl = {}
        for temperature in (1, 4):
            rate = min(
                RATES, key=lambda r: judged(sharpness, temperature, r, 100, hidden, inputs).mean()
            )
            kl[temperature] = judged(sharpness, temperature, rate, seed, hidden, inputs)
        leads[sharpness] = interval((kl[1] - kl[4]).tolist())
    assert leads[3].low > 0 and leads[30].high < 0
