"""What each model writes, and its distance from the teacher there, on the teacher's words and the text's."""

import pytest
import torch
from accelerate import Accelerator

from kdlib.data.blocks import Blocks
from kdlib.jobs.own_texts import on_own_texts
from kdlib.models.from_scratch import ModelSize, new_model

V, S = 13, 12


def models():
    teacher, student = (new_model(ModelSize(8, 1, 2), V, 32, seed).eval() for seed in (1, 2))
    return {"teacher": teacher, "student": student, "control_equal_steps": teacher}


def blocks(rows=9, full=True):
    ids = torch.randint(0, V, (rows, S), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    mask[0, 4:] = 0
    return Blocks(ids, mask if full else torch.zeros_like(ids), bytes=10)


def test_on_the_text_it_is_the_divergence_of_plain_forward_passes():
    found = on_own_texts(models(), blocks(), 0, Accelerator(cpu=True))["prefixes"]["text"]
    ids = blocks().ids[1:]  # the first block is not full
    log_p, log_q = (
        m(input_ids=ids).logits.double().log_softmax(-1) for m in list(models().values())[:2]
    )
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)[:, S // 2 - 1 : -1]
    assert found["student"]["forward_kl"] == pytest.approx(kl.mean().item(), rel=1e-5)


def test_a_twin_of_the_teacher_is_nowhere_far_and_writes_as_it_does():
    found = on_own_texts(models(), blocks(), 0, Accelerator(cpu=True))
    for who in ("text", "teacher", "own"):
        assert set(found["prefixes"][who]["control_equal_steps"].values()) == {0.0}
        assert found["prefixes"][who]["student"]["reverse_kl"] > 0
    assert found["writing"]["control_equal_steps"] == found["writing"]["teacher"]


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others():
    first, again, other = (
        on_own_texts(models(), blocks(), seed, Accelerator(cpu=True)) for seed in (0, 0, 1)
    )
    assert first == again
    assert first["prefixes"]["text"] == other["prefixes"]["text"]
    assert first["prefixes"]["own"] != other["prefixes"]["own"]


def test_a_test_without_a_full_block_has_no_such_part():
    assert on_own_texts(models(), blocks(full=False), 0, Accelerator(cpu=True)) == {}
