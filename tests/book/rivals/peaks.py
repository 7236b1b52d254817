"""Students with a single peak, on a grid of centres and widths, as the rivals of chapter 4 use them."""

import torch

from kdlib.losses.divergences import hellinger_squared, jensen_shannon, symmetric_kl
from kdlib.toys.students import one_peak

CENTRES, WIDTHS = torch.arange(0, 39.01, 0.5), torch.arange(0.5, 16.01, 0.5)
PEAKS = one_peak(40, *torch.meshgrid(CENTRES, WIDTHS, indexing="ij"))
SYMMETRIC = {"jeffreys": symmetric_kl, "hellinger": hellinger_squared, "js": jensen_shannon}


def random_logs(*shape, seed=0, spread=1.0):
    draw = torch.Generator().manual_seed(seed)
    return (spread * torch.randn(*shape, generator=draw, dtype=torch.float64)).log_softmax(-1)


def best_centre(divergence, log_p, peaks=PEAKS):
    return CENTRES[divergence(log_p, peaks).flatten().argmin().item() // len(WIDTHS)].item()
