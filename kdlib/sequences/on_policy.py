"""Training texts that the student writes itself, and the loss on them.

A student that was trained on the texts of others meets, in use, prefixes that it wrote itself. On
such prefixes nothing was asked of it. On-policy distillation lets the student write a share of the
training texts and asks the teacher about every token of them (Agarwal et al. 2024, "On-Policy
Distillation of Language Models", GKD; the idea is DAgger's, Ross, Gordon, Bagnell 2011).

    texts = mixed_batch(student, prompts, answers, share=0.5, eos_id=0, generator=generator)
    seen = {"input_ids": texts.ids, "attention_mask": texts.mask}
    loss = on_policy_loss(student(**seen).logits, teacher(**seen).logits, texts, objective)

Three settings that are easily confused:

    share                    how many of the rows the student writes
    temperature              how it writes: which texts are read at all
    objective.temperature    how teacher and student are compared on these texts

Sampling has no gradient, as in GKD: the student is corrected on the texts that it wrote, it is not
rewarded for writing others. How many tokens count is known only afterwards, when it has ended.

A student is an `AutoregressiveModel` (see `sequences`), or a causal language model that is called
as those of transformers are: `LlamaForCausalLM` and its like.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdlib.losses.alignment import next_token
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.objectives import Loss, Objective
from kdlib.losses.softmax import log_softmax
from kdlib.sequences.exact import AutoregressiveModel, at_least, eos_or_none, sequence_lengths

Student = AutoregressiveModel | nn.Module
NextLogits = Callable[[Tensor, Tensor], Tensor]  # ids, mask (B, S) -> logits (B, V)


class Texts(NamedTuple):
    """Prompts and answers side by side: what both models read, and which tokens the loss counts.

    ids (B, P + N): a prompt of P places and an answer of N; behind its end an answer is filled.
    mask (B, P + N): True at real tokens; the attention mask of both models.
    counted (B, P + N): True at the tokens of the answer, up to and with the end-of-text token.
    by_student (B,): True where the student wrote the answer.
    """

    ids: Tensor
    mask: Tensor
    counted: Tensor
    by_student: Tensor

    @property
    def count(self) -> int:  # type: ignore[override]  # a tuple's method, which no Texts needs
        """The number of tokens in the loss, taken after sampling: B * N where no answer ends."""
        return int(self.counted.sum())


def sample_batch(
    student: Student,
    prompts: Tensor,
    new_tokens: int,
    *,
    temperature: float = 1.0,
    eos_id: int | None,
    generator: torch.Generator,
    prompt_mask: Tensor | None = None,
) -> Texts:
    """Answers of at most `new_tokens` tokens to prompts (B, P), drawn from the student.

    No gradient. Each token is drawn from softmax(logits / temperature) in float32 or better, over
    the whole vocabulary. An answer ends with its first eos; an eos in the prompt ends nothing; with
    eos_id None answers never end. Prompts of different lengths are padded on the left,
    `prompt_mask` (B, P) is then False at the padding. While it writes, a module is in eval mode.
    The generator must be on the device of the student's logits.

    Raises: ValueError for new_tokens < 1, a temperature that is not above 0 and finite, prompts
    that are not (B, P) ids with P >= 1, a mask of another shape or with padding on the right.
    """
    at_least("new_tokens", new_tokens, 1)
    _check_temperature(temperature)
    prompt_mask = _checked_mask(prompts, prompt_mask)
    next_logits = _reader(student)
    ids, mask = prompts, prompt_mask
    going = torch.ones(len(prompts), dtype=torch.bool, device=prompts.device)
    with torch.no_grad(), _eval_mode(student):
        while ids.shape[1] < prompts.shape[1] + new_tokens and going.any():
            chances = log_softmax(next_logits(ids, mask), temperature).exp()
            drawn = torch.multinomial(chances, 1, generator=generator)
            # A row that has ended is filled with eos; -1 is never filled in, as no row ends then.
            drawn = torch.where(going[:, None], drawn, eos_or_none(eos_id))
            ids, mask = torch.cat([ids, drawn], dim=1), torch.cat([mask, going[:, None]], dim=1)
            going = going & (drawn.squeeze(1) != eos_or_none(eos_id))
    answers = ids[:, prompts.shape[1] :]
    answers = F.pad(answers, (0, new_tokens - answers.shape[1]), value=eos_or_none(eos_id))
    by_student = torch.ones_like(going)
    return _texts(prompts, prompt_mask, answers, by_student, eos_id)


def mixed_batch(
    student: Student,
    prompts: Tensor,
    answers: Tensor,
    share: float,
    *,
    temperature: float = 1.0,
    eos_id: int | None,
    generator: torch.Generator,
    prompt_mask: Tensor | None = None,
) -> Texts:
    """Answers (B, N) of the data to prompts (B, P), of which the student writes a share anew.

    Who wrote a row is drawn for each row by itself: the student with probability `share`. 0 leaves
    the data as they are (off-policy), 1 is `sample_batch` (on-policy). The student's answers have
    at most N tokens; an answer of the data, too, counts up to and with its first eos.

    Raises: ValueError unless 0 <= share <= 1 and answers are (B, N) ids; as `sample_batch`.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}: it must lie between 0 and 1")
    if answers.ndim != 2 or len(answers) != len(prompts) or answers.is_floating_point():
        raise ValueError(
            f"answers has shape {tuple(answers.shape)} and type {answers.dtype}: pass integer ids "
            f"(B, N) with a row for each of the {len(prompts)} prompts"
        )
    _check_temperature(temperature)
    prompt_mask = _checked_mask(prompts, prompt_mask)
    draws = torch.rand(len(prompts), generator=generator, device=generator.device)
    own = (draws < share).to(prompts.device)
    if own.any():
        written = sample_batch(
            student, prompts[own], answers.shape[1], temperature=temperature, eos_id=eos_id,
            generator=generator, prompt_mask=prompt_mask[own],
        )  # fmt: skip
        answers = answers.clone()
        answers[own] = written.ids[:, prompts.shape[1] :]
    return _texts(prompts, prompt_mask, answers, own, eos_id)


def on_policy_loss(
    student_logits: Tensor, teacher_logits: Tensor, texts: Texts, objective: Objective
) -> Loss:
    """The objective summed over the answers' tokens; its count is `texts.count`.

    Logits (B, P + N, V) of both models on `texts.ids`, each about the next token. The prompt and
    what stands behind an answer's end count nowhere. Gradient for the student's logits alone.

    Raises: ValueError for a label_weight above 0: what the student drew is no label.
    """
    if objective.label_weight > 0:
        raise ValueError(
            f"label_weight is {objective.label_weight}: tokens that the student drew are no labels;"
            " use Objective() here and add the label term from a batch of data"
        )
    student, _, _ = next_token(student_logits, texts.ids)
    teacher, _, _ = next_token(teacher_logits, texts.ids)
    return distillation_loss(student, teacher, mask=texts.counted[:, 1:], objective=objective)


# ---------------------------------------------------------------- parts


def _texts(
    prompts: Tensor, prompt_mask: Tensor, answers: Tensor, by_student: Tensor, eos_id: int | None
) -> Texts:
    places = torch.arange(answers.shape[1], device=answers.device)
    written = places < sequence_lengths(answers, eos_id)[:, None]
    return Texts(
        ids=torch.cat([prompts, answers], dim=1),
        mask=torch.cat([prompt_mask, written], dim=1),
        counted=torch.cat([torch.zeros_like(prompt_mask), written], dim=1),
        by_student=by_student,
    )


def _reader(student: Student) -> NextLogits:
    """How this student is asked for its next token, for one batch from the prompts to the end."""
    ask: Any = getattr(student, "next_log_probs", None)
    if ask is not None:
        return lambda ids, mask: ask(ids)
    return _with_cache(student)


def _with_cache(model: Any) -> NextLogits:
    """Each token is read once: keys and values of what was read are kept from call to call."""
    cache: Any = None
    read = 0

    def next_logits(ids: Tensor, mask: Tensor) -> Tensor:
        nonlocal cache, read
        positions = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
        output = model(
            input_ids=ids[:, read:],
            attention_mask=mask.long(),
            position_ids=positions[:, read:],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,  # a prompt's own logits would be the largest tensor of all
        )
        cache, read = output.past_key_values, ids.shape[1]
        logits: Tensor = output.logits[:, -1]
        return logits

    return next_logits


@contextlib.contextmanager
def _eval_mode(student: Student) -> Iterator[None]:
    """Dropout off while the student writes; afterwards each part is in the mode it was in."""
    parts = student.modules() if isinstance(student, nn.Module) else ()
    in_training = [part for part in parts if part.training]
    for part in in_training:
        part.training = False
    try:
        yield
    finally:
        for part in in_training:
            part.training = True


def _check_temperature(temperature: float) -> None:
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature is {temperature}: it must be above 0 and finite")


def _checked_mask(prompts: Tensor, prompt_mask: Tensor | None) -> Tensor:
    """The mask of the prompts as booleans; all True when there is none."""
    if prompts.ndim != 2 or prompts.shape[1] < 1 or prompts.is_floating_point():
        raise ValueError(
            f"prompts has shape {tuple(prompts.shape)} and type {prompts.dtype}: pass integer ids "
            "(B, P) with at least one token each, such as a start token"
        )
    if prompt_mask is None:
        return torch.ones_like(prompts, dtype=torch.bool)
    mask = prompt_mask.bool()
    if mask.shape != prompts.shape:
        raise ValueError(
            f"prompt_mask has shape {tuple(mask.shape)}, prompts {tuple(prompts.shape)}: they must "
            "agree"
        )
    if not mask[:, -1].all() or (mask[:, :-1] & ~mask[:, 1:]).any():
        raise ValueError("prompt_mask has padding behind a token: pad prompts on the left")
    return mask
