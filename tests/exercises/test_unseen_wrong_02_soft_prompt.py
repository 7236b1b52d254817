"""Unseen mistakes in the soft prompt of chapter 2 are named rightly."""

import pytest
import torch
import torch.nn.functional as F
from unseen import Unseen, assert_nine_in_ten

from kdlib.exercises import exercise

unseen = Unseen()


def kl(teacher, student, reduction="sum"):
    return F.kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction=reduction)


def stepped(model, context, user, soft, rate, student=None, loss=None):
    prompt = soft.detach().clone().requires_grad_()

    def read(vectors):
        return torch.cat([vectors.expand(len(user), -1, -1), user], 1)

    with torch.no_grad():
        teacher = model(read(context))
    logits = model(student(prompt) if student else read(prompt))
    value = loss(teacher, logits) if loss else kl(teacher, logits, "batchmean")
    return soft - rate * torch.autograd.grad(value, prompt)[0]


@unseen.wrong("soft-prompt-step", "user-input-dropped")
def soft_prompt_alone(model, context, user, soft, rate):
    def student(prompt):
        return prompt.expand(len(user), -1, -1)

    return stepped(model, context, user, soft, rate, student=student)


@unseen.wrong("soft-prompt-step", "mean-over-vocab")
def soft_prompt_default_reduction(*everything):
    return stepped(*everything, loss=lambda teacher, logits: kl(teacher, logits, "mean"))


@pytest.mark.filterwarnings("ignore:reduction")
def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(2))


@pytest.mark.parametrize(
    ("after", "what"),
    [
        (lambda model: model.zero_grad(), "gradients"),
        (lambda model: model.requires_grad_(False), "ask for a gradient"),
        (lambda model: model.eval(), "mode"),
        (lambda model: [setattr(p, "grad", None) for p in model.parameters()], "gradients"),
        (lambda model: model.train(), "mode"),
        (lambda model: model.requires_grad_(True), "ask for a gradient"),
    ],
    ids=["zero_grad", "frozen", "eval", "no gradients", "train", "thawed"],
)
def test_a_model_that_is_only_read_is_left_as_it_was(after, what):
    def step(model, *others):
        new = stepped(model, *others)
        after(model)
        return new

    verdict = exercise("soft-prompt-step").check(step)
    assert verdict.misconception == "model-handed-back-changed", verdict
    assert what in verdict.seen


def test_each_part_of_a_model_gets_its_own_mode_back():
    def step(model, *others):
        mode = model.training
        new = stepped(model.eval(), *others)
        model.train(mode)
        return new

    verdict = exercise("soft-prompt-step").check(step)
    assert verdict.misconception == "model-handed-back-changed", verdict
