"""The rival of section 5.9: another lesson, another exam, another confusion."""

import functools

import torch
from rivals.headlines import headline

from kdlib.data.blocks import make_blocks
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze


@functools.cache
def classroom():
    teacher, tokenizer = freeze(load_model(POCKET_TEACHER)), load_tokenizer(POCKET_TEACHER)
    messages = load_splits("sotu")

    def blocks(documents, count, first=0):
        bpe, end = tokenizer.backend_tokenizer, tokenizer.eos_token_id
        ids = make_blocks(documents, bpe, 64, end).ids[:-1]
        return ids[first :: len(ids) // count][:count]

    lesson = blocks(take_fraction(messages.training, 0.1), 64, first=3)  # others than the chapter's
    exam = blocks(take_fraction(messages.validation, 0.3), 32)
    with torch.no_grad():
        answers = torch.cat(
            [teacher(input_ids=some[:, :-1]).logits.softmax(-1) for some in lesson.split(16)]
        )
    return lesson, exam, answers


def learned(seed, lambda_, lesson, exam, answers):
    size = ModelSize(width=32, layers=1, heads=2, initial_std=0.09)
    vocabulary, draw = answers.shape[-1], torch.Generator().manual_seed(seed)
    student = new_model(size, vocabulary, 128, seed)
    optimizer = torch.optim.AdamW(student.parameters(), weight_decay=0.0)
    share = lambda_ / (1 + lambda_)
    for step in range(40):
        for group in optimizer.param_groups:
            group["lr"] = 0.015 * min((step + 1) / 10, 1 - step / 40)
        rows = torch.randperm(len(lesson), generator=draw)[:4]
        y = lesson[rows, 1:].flatten()
        target = share * answers[rows].flatten(0, 1)
        target[torch.arange(len(y)), y] += 1 - share
        logits = student(input_ids=lesson[rows, :-1]).logits.flatten(0, 1)
        torch.nn.functional.cross_entropy(logits, target).backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        logits = student(input_ids=exam[:, :-1]).logits.flatten(0, 1)
        return torch.nn.functional.cross_entropy(logits, exam[:, 1:].flatten()).item()


@headline(
    5,
    "A small transformer shows the same shapes: with a good teacher more lambda is better all the "
    "way, with a confused one the best is in between.",
)
@headline(
    5,
    "a real student, too, passes with labels and a habitual teacher what either gives it alone.",
)
def test_5_9_on_another_lesson_and_another_exam():
    """Rival: one lesson and one exam had it so; another muddle, lesson and exam may not."""
    lesson, exam, answers = classroom()
    dice = torch.Generator().manual_seed(5)
    muddle = torch.randperm(answers.shape[-1], generator=dice)
    confused = 0.5 * answers + 0.5 * answers[..., muddle]
    for seed in (10, 11, 12):
        alone = learned(seed, 0.0, lesson, exam, answers)
        good = [learned(seed, x, lesson, exam, answers) for x in (1.0, 100.0)]
        assert alone > good[0] > good[1]
        odd = [learned(seed, x, lesson, exam, confused) for x in (1.0, 100.0)]
        assert odd[0] < min(alone, odd[1]) - 0.02
