"""The rivals of chapter 7 that have to be trained: other lessons, rates and seeds, a text of another kind."""

import ast
import functools
from pathlib import Path

import numpy as np
import torch
from rivals.headlines import headline
from torch.nn.utils import clip_grad_norm_

import kdlib
from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.learning import FROM_TEACHER, FROM_TEXT, nats
from kdlib.claims.rules import interval
from kdlib.data.blocks import Blocks, make_blocks
from kdlib.data.document import Document
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction
from kdlib.models.folders import POCKET_TEACHER, load_tokenizer
from kdlib.models.ngram import NGram
from kdlib.teachers.live import PrecomputedTargets
from kdlib.training.schedule import (
    Training,
    learning_rate,
    make_optimizer,
    rows_of_step,
    set_learning_rate,
)
from kdlib.training.student_with_loss import StudentWithLoss

SEEDS = range(10, 15)  # the chapter has 0 to 4


def course(blocks, steps, seed, rate=0.012, answers=None, exam=None):
    """A student's losses on the validation text, or on another one, at four looks."""
    student = pocket.new_student(seed)
    learner, training = StudentWithLoss(student), Training(steps, 4, learning_rate=rate)
    optimizer, found = make_optimizer(student, training), []
    for step in range(steps):
        set_learning_rate(optimizer, learning_rate(step, training))
        rows = rows_of_step(step, len(blocks), training.batch, seed)
        targets = answers(rows, blocks.ids[rows]) if answers else None
        objective = FROM_TEACHER if answers else FROM_TEXT
        learner(blocks.ids[rows], blocks.counted(rows), objective, targets).mean.backward()
        clip_grad_norm_(student.parameters(), training.clip)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % (steps // 4) == 0:
            found.append(nats(student, exam or pocket.text().validation))
    return found


@headline(
    7,
    "Keep every model at its best look, or a control that has learned its lesson by heart is a "
    "straw man.",
)
def test_7_6_learning_by_heart():
    """Rival: it is the one training of the chapter, or its learning rate, which is too high."""
    courses = np.array([course(pocket.lesson(24), 168, seed, rate=0.006) for seed in SEEDS])
    assert (courses[:, -1] > courses.min(1) + 0.2).all()
    assert (courses[:, -1] == courses.max(1)).all()


@functools.cache
def other_lesson():
    """48 blocks of training documents of which the chapter has read none."""
    training = load_splits("sotu").training
    tenth = {document.name for document in take_fraction(training, 0.1)}
    tokenizer = load_tokenizer(POCKET_TEACHER)
    documents = [each for each in training if each.name not in tenth][:40]
    blocks = make_blocks(documents, tokenizer.backend_tokenizer, 128, tokenizer.eos_token_id)
    some = torch.linspace(0, len(blocks) - 2, 48).long()
    return Blocks(blocks.ids[some], blocks.mask[some], 1)


@headline(
    7,
    "So a lead over such a control is not the worth of a teacher: after as few steps, the student "
    "with a teacher cannot be told apart from the table.",
)
def test_7_7_on_another_lesson_most_of_the_lead_is_the_tables_too():
    """Rival: it is this lesson; on another one the control is ahead of the table."""
    lesson, exam = other_lesson(), pocket.text().validation
    answers = PrecomputedTargets(pocket.teacher(), lesson)
    counts = NGram.fit(lesson.ids, lesson.mask, 4096, 3)
    table = counts.nll(exam.ids, exam.mask).sum() / exam.predicted_tokens
    alone = np.array([min(course(lesson, 48, seed)) for seed in SEEDS])
    taught = np.array([min(course(lesson, 48, seed, answers=answers)) for seed in SEEDS])
    over_control, over_table = interval(list(alone - taught)), interval(list(table - taught))
    assert over_control.low > 0.15
    assert alone.min() > table + 0.2
    assert over_table.value < over_control.value / 2


@functools.cache
def python_code():
    """The sources of this package, which are no prose at all: 24 blocks to read, 16 to predict."""
    tokenizer = load_tokenizer(POCKET_TEACHER)
    codes = {
        path.name: ast.unparse(ast.parse(path.read_text("utf-8")))
        for path in sorted(Path(kdlib.__file__).parent.rglob("*.py"))
    }
    documents = [Document(name, code) for name, code in codes.items() if len(code) > 3000]
    parts = []
    for some, count in ((documents[:8], 24), (documents[8:12], 16)):
        blocks = make_blocks(some, tokenizer.backend_tokenizer, 128, tokenizer.eos_token_id)
        parts.append(Blocks(blocks.ids[:count], blocks.mask[:count], 1))
    return parts


@headline(
    7,
    "A teacher passes on what it knows, and what it does not: of a text of another kind ours knew "
    "less than a table of counts, and its student ended behind the one without a teacher.",
)
def test_7_10_a_teacher_of_another_kind():
    """Rival: it is the words of the manual, or one training; soft answers help whatever they say."""
    lesson, exam = python_code()
    counts = NGram.fit(lesson.ids, lesson.mask, 4096, 3)
    table = counts.nll(exam.ids, exam.mask).sum() / exam.predicted_tokens
    assert nats(pocket.teacher(), exam) > table + 0.3
    answers = PrecomputedTargets(pocket.teacher(), lesson)
    taught, alone = (
        [min(course(lesson, 40, seed, answers=each, exam=exam)) for seed in SEEDS]
        for each in (answers, None)
    )
    assert interval([t - a for t, a in zip(taught, alone, strict=True)]).low > 0.1
