"""Answers that the teacher writes to prompts: sequence-level distillation.

A student of such answers learns the teacher's distribution over whole answers, from draws of it.

Source: Kim and Rush 2016, Sequence-level knowledge distillation. They decode with a beam; here the
answers are drawn, so that their mean over many is the teacher's distribution.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdlib.errors import UserError
from kdlib.files import locked, write_atomically
from kdlib.jobs.context import RunModels, open_device
from kdlib.jobs.kept import load_finished
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.samples import generating_with
from kdlib.machine.progress import progress_bar, watched
from kdlib.models.context_length import context_length
from kdlib.models.folders import load_tokenizer
from kdlib.records.faults import Unusable
from kdlib.records.reading import open_questions
from kdlib.records.record import ASSISTANT, Record, Turn
from kdlib.records.template import ChatTemplate


@dataclass(frozen=True)
class Writing:
    """How answers are drawn.

    Attributes:
        samples: answers to each prompt.
        temperature: of the draws; 0 takes the likeliest token each time.
        tokens: of an answer, at most. One that does not end by then is left out.
        seed: of the draws.
    """

    samples: int
    temperature: float
    tokens: int
    seed: int


def write_answers(recipe: Recipe, out: Path, how: Writing) -> Counter[str]:
    """Let the recipe's teacher answer the recipe's records, into a file of records.

    What was written stays in a draft beside the file, so that a writer that was stopped goes on. The
    file appears when it is complete.

    Args:
        recipe: its teacher, records, template and device are used.
        out: the file, ending in ``.jsonl``.
        how: the draws.

    Returns:
        How many answers were written, and why others were left out.

    Raises:
        UserError: for a file that exists, a draft of other answers, and records that cannot be read.
    """
    if out.suffix != ".jsonl":
        raise UserError(f"out: {out} must end in .jsonl, as what it holds")
    if out.exists():
        raise UserError(f"out: {out} exists already; delete it, or name another file")
    if not recipe.data.records:
        raise UserError("data.records: give the prompts with --records FILE")
    records, left_out = open_questions(recipe.data.records, watched)
    models = RunModels(recipe, Path())
    tokenizer = load_tokenizer(models.teacher)
    writer = _Writer(
        load_finished(models, "teacher").to(open_device(recipe)[0].device).eval(),
        ChatTemplate(tokenizer, recipe.data.template),
        how,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_suffix(".jsonl.part")
    with locked(out.parent):
        left_out += _fill(draft, records, writer, _mark(recipe, records, how))
        left_out["written"] = _finish(draft, out)
    return left_out


def _mark(recipe: Recipe, records: list[Record], how: Writing) -> str:
    """By what a draft knows its own answers: teacher, template, prompts and draws."""
    asked = [record.text for record in records]
    teacher = [recipe.teacher.source, recipe.teacher.dtype]
    made_of = [*teacher, recipe.data.template, vars(how), asked]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


def _fill(draft: Path, records: list[Record], writer: _Writer, mark: str) -> Counter[str]:
    """Write what the draft lacks, a line for each prompt; the first line says what it is."""
    done = _lines_done(draft, mark)
    with open(draft, "a", encoding="utf-8") as file, progress_bar("writing", len(records)) as bar:
        if done < 0:
            file.write(json.dumps({"mark": mark}) + "\n")
        bar.update(max(done, 0))
        for number in range(max(done, 0), len(records)):
            answers, why = writer.answers(records[number], number)
            file.write(json.dumps({"answers": answers, "left_out": why}) + "\n")
            file.flush()
            bar.update()
    lines = draft.read_text(encoding="utf-8").splitlines()[1:]
    return sum((Counter(json.loads(line)["left_out"]) for line in lines), Counter[str]())


def _lines_done(draft: Path, mark: str) -> int:
    """Prompts that the draft has answered, -1 for no draft. A line that was torn is cut off."""
    if not draft.exists():
        return -1
    whole = draft.read_bytes()
    kept = whole[: whole.rfind(b"\n") + 1]
    if kept != whole:
        draft.write_bytes(kept)
    lines = kept.splitlines()
    if not lines:
        return -1
    if json.loads(lines[0]).get("mark") != mark:
        raise UserError(
            f"out: {draft} is a draft of other answers; delete it, or write to another file"
        )
    return len(lines) - 1


def _finish(draft: Path, out: Path) -> int:
    """Turn a complete draft into the file of records, and count these."""
    lines = draft.read_text(encoding="utf-8").splitlines()[1:]
    records = [record for line in lines for record in json.loads(line)["answers"]]
    if not records:
        draft.unlink()
        raise UserError("tokens: no answer ended in time; allow more with --tokens")
    write_atomically(out, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records))
    draft.unlink()
    return len(records)


@dataclass(frozen=True)
class _Writer:
    """The teacher and how it writes."""

    teacher: nn.Module
    template: ChatTemplate
    how: Writing

    def answers(self, record: Record, number: int) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """Conversations with the answers to a prompt, and why some answers were left out."""
        try:
            text = self.template.prompt(record.turns)
        except Unusable as reason:
            return [], {str(reason): 1}
        tokenizer = self.template.tokenizer
        ids = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
        room = (context_length(self.teacher) or 2**31) - len(ids)
        if room < 2:
            return [], {"a prompt longer than the teacher reads": 1}
        drawn = self._draw(torch.tensor([ids]), min(self.how.tokens, room), number)
        ended = [answer for answer in drawn if answer is not None]
        kept = [answer for answer in ended if answer.strip()]
        why = {
            "answers that did not end": len(drawn) - len(ended),
            "empty answers": len(ended) - len(kept),
        }
        turns = [(*record.turns, Turn(ASSISTANT, answer.strip())) for answer in kept]
        return (
            [{"messages": [turn._asdict() for turn in each]} for each in turns],
            {reason: count for reason, count in why.items() if count},
        )

    @torch.no_grad()
    def _draw(self, ids: torch.Tensor, tokens: int, number: int) -> list[str | None]:
        """The answers to a prompt; None for one that did not end."""
        from transformers import GenerationConfig

        tokenizer, how = self.template.tokenizer, self.how
        stops = self._stops()
        settings = GenerationConfig(
            max_new_tokens=tokens,
            num_return_sequences=how.samples,
            eos_token_id=sorted(stops),
            pad_token_id=min(stops),
            **(
                {"do_sample": True, "temperature": how.temperature, "top_k": 0}
                if how.temperature
                else {}
            ),
        )
        # Of this prompt alone, so that a writer that was stopped goes on with the same draws.
        torch.manual_seed(how.seed * 1_000_003 + number)
        model: Any = self.teacher
        ids = ids.to(model.device)
        with generating_with(model, settings):
            out = model.generate(
                ids, generation_config=settings, attention_mask=torch.ones_like(ids)
            )
        answers: list[str | None] = []
        for row in out[:, ids.shape[1] :].tolist():
            end = next((place for place, token in enumerate(row) if token in stops), None)
            text = tokenizer.backend_tokenizer.decode(row[:end], skip_special_tokens=True)
            answers.append(None if end is None else text)
        return answers

    def _stops(self) -> set[int]:
        """The tokens that end an answer: those of the model's folder, and the template's own."""
        model: Any = self.teacher
        own = model.generation_config.eos_token_id
        ends = {*(own if isinstance(own, list) else [own]), self.template.tokenizer.eos_token_id}
        return {int(end) for end in ends if end is not None}
