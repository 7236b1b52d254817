"""Every score of every token against a slow computation of its own."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from scipy.special import log_softmax

from kdlib.data.blocks import Blocks
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.reports import scores
from kdlib.reports.scores import score_models, score_text

VOCABULARY = 30


@pytest.fixture(scope="module")
def texts():
    """Blocks of which one is padded."""
    ids = torch.randint(0, VOCABULARY, (11, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[-1, 4:] = 0
    return Blocks(ids, mask, bytes=321)


@pytest.fixture(scope="module")
def models():
    pair = {
        name: new_model(ModelSize(16, 1, 2), VOCABULARY, 64, seed)
        for name, seed in (("teacher", 0), ("student", 1))
    }
    for model in pair.values():  # far from uniform, so that the quantities differ
        model.lm_head.weight.data *= 20
    return pair


@pytest.fixture(scope="module", params=[512, 20], ids=["one batch", "several"])
def scored(request, models, texts):
    """The scores, read in batches of so many tokens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "tokens_at_once", lambda device, vocabulary: request.param)
        accelerator = Accelerator(cpu=True)
        found = score_models(models, "teacher", texts, accelerator)
        alone = score_text("student", models["student"], texts, accelerator)
    return found, alone


@pytest.fixture(scope="module")
def oracle(models, texts):
    """Log-probabilities of both (T, V) in float64, and the labels (T,), row by row."""
    logs = {name: [] for name in models}
    labels = []
    with torch.no_grad():
        for row, mask in zip(texts.ids, texts.mask):
            real = row[: int(mask.sum())]
            labels += real[1:].tolist()
            for name, model in models.items():
                logits = model(input_ids=real[None]).logits[0, :-1]
                logs[name].append(log_softmax(logits.double().numpy(), -1))
    return np.concatenate(logs["teacher"]), np.concatenate(logs["student"]), np.array(labels)


def slowly(log_p, log_q, labels):
    """All quantities of a student, token by token."""
    rows = []
    for one, other, label in zip(log_p, log_q, labels):
        p, q, guess = np.exp(one), np.exp(other), other.argmax()
        five = set(np.argsort(-one)[:5]) & set(np.argsort(-other)[:5])
        rows.append(
            {
                "nll": -other[label],
                "forward_kl": sum(p * (one - other)),
                "reverse_kl": sum(q * (other - one)),
                "top1": guess == one.argmax(),
                "shared": len(five),
                "confidence": q[guess],
                "correct": guess == label,
            }
        )
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def test_every_token_is_scored_as_by_hand(scored, oracle):
    found, (log_p, log_q, labels) = scored[0], oracle
    for name, log in (("teacher", log_p), ("student", log_q)):
        expected = slowly(log_p, log, labels)
        assert expected.keys() == found[name]._asdict().keys()
        for key, values in found[name]._asdict().items():
            assert values.shape == (len(labels),), key
            assert values == pytest.approx(expected[key], rel=1e-4, abs=1e-6), (name, key)


def test_the_quantities_can_be_told_apart(oracle):
    """Otherwise one in the place of another would go unseen."""
    expected = slowly(*oracle)
    for key, values in expected.items():
        assert len(np.unique(values)) > 1, key
        for other, others in expected.items():
            assert other == key or not np.allclose(values, others, rtol=1e-2), (key, other)


def test_a_model_by_itself_has_the_same_losses(scored, oracle):
    found, alone = scored
    assert alone.dtype == np.float32
    assert np.array_equal(alone, found["student"].nll)
    assert alone == pytest.approx(slowly(*oracle)["nll"], rel=1e-5)


def test_nothing_differs_from_itself(scored):
    teacher = scored[0]["teacher"]
    assert np.abs(teacher.forward_kl).max() == np.abs(teacher.reverse_kl).max() == 0
    assert teacher.top1.all() and (teacher.shared == 5).all()


def test_a_token_takes_few_bytes(scored):
    """A run on a million tokens keeps them all, of every model."""
    sizes = {key: values.dtype.itemsize for key, values in scored[0]["student"]._asdict().items()}
    assert sum(sizes.values()) <= 20, sizes


def test_models_that_take_turns_have_the_same_scores(models, texts, monkeypatch):
    """Bit for bit, and in the same order; the teacher reads the text again in every turn."""
    more = models | {"control": new_model(ModelSize(16, 1, 2), VOCABULARY, 64, 2)}
    together = score_models(more, "teacher", texts, Accelerator(cpu=True))
    names, passes = [], {name: 0 for name in more}
    for name, model in more.items():
        monkeypatch.setattr(model, "forward", counting(model.forward, passes, name))
    one_by_one = lambda models, beside, device: names.append(beside) or [["student"], ["control"]]
    monkeypatch.setattr(scores, "in_turns", one_by_one)
    apart = score_models(more, "teacher", texts, Accelerator(cpu=True))
    assert list(apart) == list(together) == ["teacher", "student", "control"]
    for name in more:
        for one, other in zip(apart[name], together[name], strict=True):
            assert np.array_equal(one, other)
    assert names == ["teacher"] and passes["teacher"] == 2 * passes["student"] > 0


def counting(forward, passes, name):
    def counted(*args, **kwargs):
        passes[name] += 1
        return forward(*args, **kwargs)

    return counted
