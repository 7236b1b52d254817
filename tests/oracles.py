"""References for the tests: every quantity once more, as its definition reads, in 50 digits.

Nothing here is shared with the code under test. A loop over slots with 50 digits needs no trick
against cancellation, underflow or overflow, so each function can be checked against its formula by
eye; `test_divergences_values.py` also compares them with SciPy. Inputs are one-dimensional
sequences of log-probabilities (-inf allowed), outputs Python floats.
"""

import mpmath

INF = mpmath.inf


def exact(function):
    """Let ``function`` work on exact logs with 50 digits and hand back a float."""

    def wrapped(*log_distributions, **parameters):
        with mpmath.workdps(50):
            logs = [[mpmath.mpf(float(x)) for x in log_x] for log_x in log_distributions]
            exact_parameters = {name: mpmath.mpf(value) for name, value in parameters.items()}
            return float(function(*logs, **exact_parameters))

    return wrapped


def probabilities(log_p):
    return [mpmath.exp(x) for x in log_p]


def kl(p, q):
    total = mpmath.mpf(0)
    for x, y in zip(p, q, strict=True):
        if x > 0 and y == 0:
            return INF
        if x > 0:
            total += x * mpmath.log(x / y)
    return total


def mixture(p, q, weight_of_p):
    return [weight_of_p * x + (1 - weight_of_p) * y for x, y in zip(p, q, strict=True)]


@exact
def entropy(log_p):
    return -sum(p * mpmath.log(p) for p in probabilities(log_p) if p > 0)


@exact
def cross_entropy(log_p, log_q):
    total = mpmath.mpf(0)
    for p, log_y in zip(probabilities(log_p), log_q, strict=True):
        if p > 0:
            total -= p * log_y
    return total


@exact
def forward_kl(log_p, log_q):
    return kl(probabilities(log_p), probabilities(log_q))


@exact
def reverse_kl(log_p, log_q):
    return kl(probabilities(log_q), probabilities(log_p))


@exact
def symmetric_kl(log_p, log_q):
    p, q = probabilities(log_p), probabilities(log_q)
    return (kl(p, q) + kl(q, p)) / 2


@exact
def jensen_shannon(log_p, log_q):
    p, q = probabilities(log_p), probabilities(log_q)
    middle = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    return (kl(p, middle) + kl(q, middle)) / 2


@exact
def generalized_jsd(log_p, log_q, beta):
    p, q = probabilities(log_p), probabilities(log_q)
    m = mixture(p, q, beta)
    total = mpmath.mpf(0)
    if beta > 0:  # at beta = 0 KL(P||M) may be infinite; its weight is 0
        total += beta * kl(p, m)
    if beta < 1:
        total += (1 - beta) * kl(q, m)
    return total


@exact
def skew_kl(log_p, log_q, alpha):
    p, q = probabilities(log_p), probabilities(log_q)
    return kl(p, mixture(p, q, alpha))


@exact
def skew_reverse_kl(log_p, log_q, alpha):
    p, q = probabilities(log_p), probabilities(log_q)
    return kl(q, mixture(q, p, alpha))


@exact
def alpha_beta(log_p, log_q, alpha, beta):
    """The five cases of Cichocki, Cruces and Amari 2011, one branch each."""

    def power(x, exponent):
        if x == 0:
            return INF if exponent < 0 else mpmath.mpf(exponent == 0)
        return x**exponent

    def x_log_x_over_y(x, y):
        return kl([x], [y])

    s = alpha + beta
    total = mpmath.mpf(0)
    for p, q in zip(probabilities(log_p), probabilities(log_q), strict=True):
        if p == q == 0:
            continue
        if s == 0 and (p == 0 or q == 0):
            return INF
        if alpha == beta == 0:
            total += mpmath.log(p / q) ** 2 / 2
        elif s == 0:
            ratio = (p / q) ** alpha
            total += (ratio - 1 - mpmath.log(ratio)) / alpha**2
        elif beta == 0:
            x, y = power(p, alpha), power(q, alpha)
            total += (x_log_x_over_y(x, y) - x + y) / alpha**2
        elif alpha == 0:
            x, y = power(q, beta), power(p, beta)
            total += (x_log_x_over_y(x, y) - x + y) / beta**2
        else:
            bracket = power(p, alpha) * power(q, beta)
            bracket -= alpha / s * power(p, s) + beta / s * power(q, s)
            total -= bracket / (alpha * beta)
    return total


@exact
def total_variation(log_p, log_q):
    p, q = probabilities(log_p), probabilities(log_q)
    return sum(abs(x - y) for x, y in zip(p, q, strict=True)) / 2


@exact
def hellinger_squared(log_p, log_q):
    p, q = probabilities(log_p), probabilities(log_q)
    return sum((mpmath.sqrt(x) - mpmath.sqrt(y)) ** 2 for x, y in zip(p, q, strict=True)) / 2


def head_weight(p, q, mu):
    """The share of sum |p - q| in the head of P: its likeliest tokens until their mass is mu."""
    head_gap = tail_gap = mass = mpmath.mpf(0)
    for x, y in sorted(zip(p, q, strict=True), key=lambda pair: -pair[0]):
        if mass < mu:
            head_gap += abs(x - y)
        else:
            tail_gap += abs(x - y)
        mass += x
    return head_gap / (head_gap + tail_gap) if head_gap + tail_gap else mpmath.mpf(0)


@exact
def adaptive_kl_weight(log_p, log_q, mu=0.5):
    return head_weight(probabilities(log_p), probabilities(log_q), mu)


@exact
def adaptive_kl(log_p, log_q, mu=0.5):
    p, q = probabilities(log_p), probabilities(log_q)
    weight = head_weight(p, q, mu)
    total = mpmath.mpf(0)
    if weight > 0:
        total += weight * kl(p, q)
    if weight < 1:
        total += (1 - weight) * kl(q, p)
    return total
