r"""The confidence loss of Burns et al. for two classes: half the weak model's labels, half one's own.

With the student's probability q of the second class and the supervisor's w,

.. math:: (1 - \alpha)\,\mathrm{CE}(w, q) + \alpha\,\mathrm{CE}(\hat q, q)

where :math:`\hat q` is 1 for the pieces of which the student is surest, as many as w expects, and
else 0. Cross-entropy is linear in its target, so it is one cross-entropy against a mixed target.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def hardened(probabilities: Tensor, share: Tensor) -> Tensor:
    """1 for the largest, such a share of them; else 0.

    The share keeps the classes' balance: with a threshold of 1/2, a student that leans to one class
    would teach itself to call everything by it.

    Args:
        probabilities: (N,) of the second class.
        share: of the ones, between 0 and 1.
    """
    return (probabilities > torch.quantile(probabilities, 1 - share)).to(probabilities)


def confidence_loss(logits: Tensor, labels: Tensor, alpha: float) -> Tensor:
    """Mean cross-entropy against labels and one's own hardened opinion.

    Args:
        logits: (N,) of the second class, the student's.
        labels: (N,) the supervisor's probabilities of it.
        alpha: weight of the own opinion, which is a target: no gradient flows through it.
    """
    own = hardened(logits.detach().sigmoid(), labels.mean())
    return F.binary_cross_entropy_with_logits(logits, (1 - alpha) * labels + alpha * own)
