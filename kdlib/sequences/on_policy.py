"""Training texts that the student writes itself, and the loss on them.

A student trained on given texts meets, when it generates, prefixes that it wrote itself and was
never trained on. On-policy distillation lets the student write a share of the training texts and
compares it with the teacher at every token of them (Agarwal et al. 2024, "On-Policy Distillation of
Language Models", GKD; the idea is that of DAgger, Ross, Gordon, Bagnell 2011)::

    texts = mixed_batch(student, prompts, answers, share=0.5, eos_id=0, generator=generator)
    seen = {"input_ids": texts.ids, "attention_mask": texts.mask}
    loss = on_policy_loss(student(**seen).logits, teacher(**seen).logits, texts, objective)

Three settings that are easily confused::

    share                    the share of the rows that the student writes
    temperature              how it samples, which decides the texts
    objective.temperature    how teacher and student are compared on these texts

Sampling has no gradient, as in GKD: the student is corrected on the texts that it wrote, but not
rewarded for writing other texts. The number of counted tokens is known only after sampling.

A student is an `AutoregressiveModel` (see `kdlib.sequences.exact`), or a causal language model with
the interface of transformers, such as ``LlamaForCausalLM``.
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
    """Prompts with their answers: what both models read, and which tokens the loss counts.

    Attributes:
        ids: (B, P + N) a prompt of P tokens and an answer of N, padded after its end.
        mask: (B, P + N) True at real tokens; the attention mask of both models.
        counted: (B, P + N) True at the tokens of the answer, up to and including eos.
        by_student: (B,) True where the student wrote the answer.
    """

    ids: Tensor
    mask: Tensor
    counted: Tensor
    by_student: Tensor

    @property
    def count(self) -> int:  # type: ignore[override]  # a tuple's method, which no Texts needs
        """The number of tokens in the loss, known after sampling; B * N if no answer ends early."""
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
    """Answers sampled from the student, without gradient.

    Each token is drawn from softmax(logits / temperature) over the whole vocabulary, in float32 or
    better. An answer ends with its first eos; an eos in the prompt has no effect. A module is in
    eval mode while it generates.

    Args:
        student: the model that generates.
        prompts: (B, P) ids, padded on the left if their lengths differ.
        new_tokens: the longest answer N, in tokens.
        temperature: of sampling.
        eos_id: None if answers never end.
        generator: the source of all randomness, on the device of the student's logits.
        prompt_mask: (B, P) False at the padding; None if there is none.

    Raises:
        ValueError: for ``new_tokens`` < 1, a temperature that is not above 0 and finite, prompts
            that are not (B, P) ids with P >= 1, a mask of another shape or with padding on the
            right.
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
            # Ended rows are padded with eos. Without an eos (-1) no row ends, so -1 is never used.
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
    """Answers from the data, a share of them replaced by answers of the student.

    Each row is drawn independently: with probability ``share`` the student writes it. 0 keeps the
    data (off-policy), 1 is `sample_batch` (on-policy). The student's answers have at most N tokens;
    answers from the data also count up to and including their first eos.

    Args:
        student, prompts, temperature, eos_id, generator, prompt_mask: as in `sample_batch`.
        answers: (B, N) ids from the data.
        share: the probability that the student writes a row.

    Raises:
        ValueError: unless 0 <= ``share`` <= 1 and answers are (B, N) ids; and as `sample_batch`.
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
    by_student = (draws < share).to(prompts.device)
    if by_student.any():
        written = sample_batch(
            student, prompts[by_student], answers.shape[1], temperature=temperature, eos_id=eos_id,
            generator=generator, prompt_mask=prompt_mask[by_student],
        )  # fmt: skip
        answers = answers.clone()
        answers[by_student] = written.ids[:, prompts.shape[1] :]
    return _texts(prompts, prompt_mask, answers, by_student, eos_id)


def on_policy_loss(
    student_logits: Tensor, teacher_logits: Tensor, texts: Texts, objective: Objective
) -> Loss:
    """The objective summed over the tokens of the answers; its count is ``texts.count``.

    The prompt and the padding after an answer do not count. Gradient for the student's logits only.

    Args:
        student_logits, teacher_logits: (B, P + N, V) on ``texts.ids``, each for the next token.
        texts: from `sample_batch` or `mixed_batch`.
        objective: without a label term.

    Raises:
        ValueError: for a ``label_weight`` above 0, since sampled tokens are not labels.
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
    """Prompts and answers (B, N) joined, with masks that end after an answer's first eos."""
    places = torch.arange(answers.shape[1], device=answers.device)
    written = places < sequence_lengths(answers, eos_id)[:, None]
    return Texts(
        ids=torch.cat([prompts, answers], dim=1),
        mask=torch.cat([prompt_mask, written], dim=1),
        counted=torch.cat([torch.zeros_like(prompt_mask), written], dim=1),
        by_student=by_student,
    )


def _reader(student: Student) -> NextLogits:
    """The function that gives this student's next-token logits, for one batch from start to end."""
    ask: Any = getattr(student, "next_log_probs", None)
    if ask is not None:
        return lambda ids, mask: ask(ids)
    return _with_cache(student)


def _with_cache(model: Any) -> NextLogits:
    """Next-token logits with a KV cache, so that each token is read only once."""
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
            logits_to_keep=1,  # the logits of the whole prompt would be the largest tensor
        )
        cache, read = output.past_key_values, ids.shape[1]
        logits: Tensor = output.logits[:, -1]
        return logits

    return next_logits


@contextlib.contextmanager
def _eval_mode(student: Student) -> Iterator[None]:
    """Turn dropout off while the student generates, then restore the mode of every submodule."""
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
    """Raise ValueError unless the temperature is above 0 and finite."""
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature is {temperature}: it must be above 0 and finite")


def _checked_mask(prompts: Tensor, prompt_mask: Tensor | None) -> Tensor:
    """The mask of the prompts as booleans, all True if there is none; checks both."""
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
