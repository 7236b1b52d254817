"""The suite catches every mistake of the catalogue that concerns a loss.

Each row of `MISTAKES` is a property that kdlib's own function has and that a small wrong version,
written as people write it, has not. The rows stand in `planted/`.
"""

import pytest
import torch
from planted import MISTAKES, Caught, counting, distances, holds, same, wiring  # noqa: F401  (they fill MISTAKES)

from kdlib.exercises.catalogue import misconceptions

COVERED = set(
    """
    mean-over-vocab batchmean-over-sequences divided-twice mean-of-means sum-for-mean mean-for-sum
    padding-counted wrong-size-in-mean off-by-one end-left-out stop-token-masked
    kl-reversed ce-called-kl probs-for-log-probs softmax-twice sign-flipped log-of-sum
    top-entry-only nats-for-bits zero-log-zero
    missing-t-squared temperature-inverted temperature-ignored temperature-after-softmax
    temperature-one-side softmax-wrong-axis softmax-overflow half-precision-softmax
    teacher-gets-gradient student-gets-no-gradient teacher-used-as-student rows-shuffled
    hard-for-soft top-k-renormalised top-k-unnormalised vocab-padded-with-zero
    lambda-direction argmax-sign
""".split()
)

every_mistake = pytest.mark.parametrize(
    "planted", MISTAKES, ids=lambda planted: f"{planted.id}-{planted.wrong.__name__}"
)


@every_mistake
def test_kdlib_has_the_property(planted):
    planted.probe(planted.right)


@pytest.mark.filterwarnings("ignore:reduction")  # torch itself warns of mean-over-vocab
@every_mistake
def test_the_mistake_is_caught(planted):
    with pytest.raises(Caught):
        planted.probe(planted.wrong)


def test_which_mistakes_are_covered():
    assert {planted.id for planted in MISTAKES} == COVERED
    assert COVERED <= set(misconceptions())


def test_only_a_failed_comparison_counts_as_caught():
    same(1.0, 1.0, "equal")
    with pytest.raises(Caught, match="^a third: .*0.3333"):
        same(1 / 3, 1 / 4, "a third")
    with pytest.raises(Caught):
        same(float("nan"), float("nan"), "NaN")
    with pytest.raises(TypeError, match="shapes"):
        same(torch.zeros(2), 0.0, "another shape")
    with pytest.raises(Caught, match="^never$"):
        holds(torch.tensor(False), "never")
