"""How many standard errors to each side, where the standard error is itself an estimate?"""

from __future__ import annotations

import math

import numpy as np

LEVEL = 0.95
NODES, WEIGHTS = (np.polynomial.legendre.leggauss(32) + np.array([[1], [0]])) / 2  # on [0, 1]


def t_quantile(df: float) -> float:
    r"""The t for which Student's distribution holds 95 % between -t and t.

    With :math:`x = \sqrt{\mathrm{df}} \tan \varphi` it is a smooth integral, and 32 nodes of Gauss
    and Legendre give it to eight digits:

    .. math::
        P(|T| \le t) = \frac{2\, \Gamma(\frac{\mathrm{df} + 1}{2})}
                            {\sqrt{\pi}\, \Gamma(\frac{\mathrm{df}}{2})}
            \int_0^{\arctan(t / \sqrt{\mathrm{df}})} \cos^{\mathrm{df} - 1} \varphi \, d\varphi

    Args:
        df: degrees of freedom, from 1 to a million, not necessarily whole.

    Source: Student 1908.
    """
    root, log_scale = math.sqrt(df), math.lgamma((df + 1) / 2) - math.lgamma(df / 2)
    scale = 2 * math.exp(log_scale) / math.sqrt(math.pi)
    t = 1.9
    # Newton's steps from below: P is concave in t, so none of them overshoots.
    for _ in range(10):
        angle = math.atan(t / root)
        inside = scale * angle * (WEIGHTS @ np.cos(angle * NODES) ** (df - 1))
        density = scale * math.cos(angle) ** (df + 1) / root
        t += float(LEVEL - inside) / density
    return t
