"""Walks over a moor with other constants than chapter 9's, and ten students of them at once."""

import torch

from kdlib.losses.divergences import forward_kl
from kdlib.toys.crowds import visits, written

SEEDS = 10


def walks(road=8, moor=15, lost=0.0, rare=1e-4, back=1.0):
    """Log-rows of a guide; `back` is the chance to find the road from a place off it."""
    size = 1 + road + moor
    p = torch.zeros(size, size, dtype=torch.float64)
    p[0, 1] = 1.0
    for i in range(road):
        p[1 + i, 1 + (i + 1) % road] = 1 - lost
        p[1 + i, 1 + road :] = lost / moor
    for i in range(moor):
        p[1 + road + i, 1 + i % road] += back
        p[1 + road + i, 1 + road + (i + 1) % moor] += 1 - back
    return ((1 - rare) * p + rare / size).log()


def trained(teacher, *, share, slip=0.02, steps=150, length=16, batch=16, rate=0.1, author=None):
    """Log-rows of ten students after a training; every row has a chance of `slip` of a random word."""
    size = len(teacher)
    logits = torch.zeros(SEEDS, size, size, dtype=torch.float64, requires_grad=True)
    draws, own = torch.Generator().manual_seed(7), round(share * batch)
    author = (teacher if author is None else author).expand(SEEDS, -1, -1)
    optimizer = torch.optim.Adam([logits], lr=rate)
    slower = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)

    def log_rows():
        return ((1 - slip) * logits.softmax(-1) + slip / size).log()

    for _ in range(steps):
        log_q = log_rows()
        counts = sum(
            written(rows, texts, length, draws)
            for rows, texts in ((log_q.detach(), own), (author, batch - own))
            if texts
        )
        loss = (counts * forward_kl(teacher, log_q)).sum(-1) / counts.sum(-1)
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        slower.step()
    return log_rows().detach()


def per_word(teacher, log_q, writer, length=16):
    """Forward KL per word on a writer's prefixes, for each student."""
    met = visits(writer.expand(SEEDS, -1, -1), length)
    return (met * forward_kl(teacher, log_q)).sum(-1) / met.sum(-1)


def bias(teacher, log_q, length=16):
    """Exposure bias of each student."""
    return per_word(teacher, log_q, log_q, length) - per_word(teacher, log_q, teacher, length)
