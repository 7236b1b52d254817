r"""Rollouts: the texts of a training that the student writes itself (on-policy distillation).

A student that is trained on given texts meets, when it generates, beginnings that it wrote itself
and was never trained on. So a share of the rows of each step keep only the beginning of their
block; the student goes on from there, and its teacher corrects it at every token that it wrote:

.. math:: L = \sum_{\text{text}} L_t + \sum_{\text{own}} L_t, \qquad
    g = \nabla \frac{L}{N_\text{text} + N_\text{own}}

Sampling has no gradient. A rollout has as many tokens as there is room for and never ends early:
blocks are a stream of documents, in which a separator is a token like any other.

Source: Agarwal et al. 2024 (GKD); Ko et al. 2024 (DistiLLM), for texts that are used a few steps
after they were written.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.sequences.on_policy import sample_batch


@dataclass(frozen=True)
class Rollouts:
    """Which rows of a training the student writes, and how.

    Attributes:
        share: of all rows, in (0, 1].
        prompt_tokens: P, tokens of the block that are kept as a beginning, at least 1.
        new_tokens: N, tokens that the student writes; P + N is at most a block's length.
        temperature: of sampling, in (0, inf).
        refresh: for so many steps at a time texts are written, with the weights before the first.
        single_sample: whether the drawn tokens alone estimate the reverse KL there.
    """

    share: float
    prompt_tokens: int
    new_tokens: int
    temperature: float = 1.0
    refresh: int = 1
    single_sample: bool = False

    def own_rows(self, step: int, rows: Tensor, blocks: Blocks) -> Tensor:
        """Which rows of a step's global batch the student writes.

        Their number is the share of all rows up to this step, less those that were written before:
        no step depends on chance, and all together have the share. Rows are shuffled, so the first
        ones are as good as any. A block that is shorter than the beginning stays as it is.

        Args:
            step: its number, from 0.
            rows: (B,) row numbers of its blocks.
            blocks: the training text.

        Returns:
            (B,), boolean.
        """
        batch = len(rows)
        # A hair above, because a share such as 0.1 is a hair below in binary.
        until, before = (int(at * batch * self.share + 1e-9) for at in (step + 1, step))
        first = torch.arange(batch) < until - before
        return first & blocks.mask[rows, : self.prompt_tokens].bool().all(1)

    def counted(self, length: int) -> Tensor:
        """The positions of a rollout that predict a token which the student wrote.

        Args:
            length: S, of a block.

        Returns:
            (S - 1,), boolean.
        """
        places = torch.arange(1, length)  # of the tokens that are predicted
        return (places >= self.prompt_tokens) & (places < self.prompt_tokens + self.new_tokens)


class Rollout(NamedTuple):
    """What the student has written for one step.

    Attributes:
        own: (B,) boolean, on the CPU: rows of the global batch that the student writes.
        ids: (n, S) the texts of this rank's rows among them, on the device.
        counted: (S - 1,) boolean, on the CPU: positions that predict what was written.
        single_sample: as in `Rollouts`.
    """

    own: Tensor
    ids: Tensor
    counted: Tensor
    single_sample: bool = False


class Writer:
    """Lets a student write its texts, some steps ahead, and keeps them until they are used.

    Args:
        rollouts: which rows, and how.
        blocks: the training text, which gives the beginnings.
        seed: of the training.
        accelerator: device and ranks.

    Attributes:
        ahead: by step, the texts (n, S) of all ranks' rows that are written and not yet used.
        seconds: wall-clock seconds of writing that were not yet asked for.
    """

    def __init__(self, rollouts: Rollouts, blocks: Blocks, seed: int, accelerator: Accelerator):
        self.rollouts, self.blocks = rollouts, blocks
        self.seed, self.accelerator = seed, accelerator
        self.ahead: dict[int, Tensor] = {}
        self.seconds = 0.0

    def rollout(self, step: int, upcoming: dict[int, Tensor], student: nn.Module) -> Rollout:
        """The texts of a step, which are written now unless they were before.

        Every rank must call.

        Args:
            step: its number.
            upcoming: row numbers (B,) of this step's global batch, and of those after it for which
                texts are to be written at the same time.
            student: a `StudentWithLoss`, as Accelerate has wrapped it.
        """
        if step not in self.ahead:
            started = time.perf_counter()
            self._write(step, upcoming, student)
            self.seconds += time.perf_counter() - started
        own = self.rollouts.own_rows(step, upcoming[step], self.blocks)
        ranks, rank = self.accelerator.num_processes, self.accelerator.process_index
        # Of the batch, this rank has every row whose place leaves its number as the remainder.
        mine = own.nonzero().squeeze(-1) % ranks == rank
        ids = self.ahead.pop(step)[mine].to(self.accelerator.device)
        counted = self.rollouts.counted(self.blocks.ids.shape[1])
        return Rollout(own, ids, counted, self.rollouts.single_sample)

    def spent(self) -> float:
        """The seconds that writing took since this was last asked.

        On a GPU the steps before the writing, which it waits for, are counted with it.
        """
        seconds, self.seconds = self.seconds, 0.0
        return seconds

    def _write(self, first: int, upcoming: dict[int, Tensor], student: nn.Module) -> None:
        """Write the texts of some steps at once: many rows are hardly slower than a few."""
        own = {
            step: rows[self.rollouts.own_rows(step, rows, self.blocks)]
            for step, rows in upcoming.items()
        }
        rows = torch.cat(list(own.values()))
        texts = self._sample(first, rows, student) if len(rows) else self.blocks.ids[rows]
        for step, part in zip(own, texts.split([len(rows) for rows in own.values()])):
            self.ahead[step] = part

    def _sample(self, first: int, rows: Tensor, student: nn.Module) -> Tensor:
        """Texts (n, S) that begin as these blocks; padded behind with the block's last tokens."""
        ranks, rank = self.accelerator.num_processes, self.accelerator.process_index
        # Shares of one size, since a sharded student is run by all ranks together: some rows twice.
        share = -(-len(rows) // ranks)
        places = torch.arange(share) * ranks + rank
        ids = self.blocks.ids[rows[places % len(rows)]].to(self.accelerator.device)
        prompt, new = self.rollouts.prompt_tokens, self.rollouts.new_tokens
        generator = torch.Generator(self.accelerator.device)
        generator.manual_seed(_seed(self.seed, first, rank))
        with self.accelerator.autocast():
            written = sample_batch(
                student, ids[:, :prompt], new,
                temperature=self.rollouts.temperature, eos_id=None, generator=generator,
            )  # fmt: skip
        ids[:, : prompt + new] = written.ids
        whole: Tensor = self.accelerator.gather(ids).view(ranks, share, -1)
        return whole.transpose(0, 1).reshape(ranks * share, -1)[: len(rows)].cpu()


def _seed(seed: int, step: int, rank: int) -> int:
    """Seed of what a rank writes: it depends on nothing that a checkpoint must hold."""
    digest = hashlib.blake2b(f"rollouts {seed} {step} {rank}".encode(), digest_size=7).digest()
    return int.from_bytes(digest)
