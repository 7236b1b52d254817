"""Recipes: one tree of dataclasses defines the flags, the recipe files and their documentation.

A recipe file holds the values that differ from the defaults below. A flag on the command line
overrides the file. Unknown fields and impossible values are refused by name in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from kdlib.errors import UserError
from kdlib.jobs.bounds import refuse_impossible
from kdlib.jobs.data_settings import Data, Evaluate
from kdlib.jobs.log_settings import Log
from kdlib.jobs.lora_settings import Lora
from kdlib.jobs.objective_settings import ObjectiveSettings
from kdlib.jobs.on_policy_settings import OnPolicy
from kdlib.losses.sparse import KINDS
from kdlib.models.from_scratch import ModelSize
from kdlib.models.pruning import Pruning
from kdlib.models.quantized import BITS
from kdlib.training.schedule import Training


@dataclass(frozen=True)
class TeacherSettings:
    """Who teaches."""

    source: Annotated[str, tyro.conf.arg(aliases=["--teacher"])] = "pocket"
    """'pocket' (ships with the package), 'smollm2' (see `kdlib fetch`), 'train' (from scratch,
    first), a model FOLDER, or a model's name on the hub, OWNER/NAME."""
    size: ModelSize = ModelSize(width=320, layers=5, heads=5)
    """Used where source = train."""
    training: Training = Training(steps=3000, learning_rate=2e-3)
    """Used where source = train."""
    precision_on_disk: Literal["float32", "bfloat16"] = "float32"
    """How a trained teacher's weights are stored."""
    dtype: Literal["auto", "float32", "bfloat16", "int8", "int4"] = "auto"
    """How its matrices are kept while it teaches and is measured. auto: as they are, in bfloat16
    where that costs nothing. bfloat16: rounded, in half the memory; int8, int4: by bitsandbytes."""

    def __post_init__(self) -> None:
        if self.dtype != "auto" and self.source == "train":
            raise UserError(
                f"teacher.dtype: {self.dtype} is for a teacher that exists; leave it out, or train it"
                " first (--until teacher)"
            )


@dataclass(frozen=True)
class StudentSettings:
    """Who learns. The controls have the same start, data and training."""

    source: Annotated[str, tyro.conf.arg(aliases=["--student"])] = "new"
    """'new' (from scratch), 'pruned' (cut out of the teacher), a model FOLDER, or OWNER/NAME on the
    hub; with the teacher's tokenizer."""
    size: ModelSize = ModelSize(width=128, layers=3, heads=4, initial_std=0.09)
    """Used where source = new."""
    pruning: Pruning = Pruning()
    """Used where source = pruned."""
    lora: Lora = Lora()
    cross_tokenizer: Annotated[
        tyro.conf.FlagConversionOff[bool], tyro.conf.arg(aliases=["--cross-tokenizer"])
    ] = False
    """Let a student keep its own tokenizer: it is taught how likely spans of the text are, not the
    teacher's distributions (`kdlib.teachers.spans` says what that cannot do). Too little to learn
    a language from: give the labels their share, --objective.weight 0.5."""
    training: Training = Training(steps=1050, learning_rate=6e-3, checkpoint_every=200)


@dataclass(frozen=True)
class TargetSettings:
    """How the teacher's word reaches the student."""

    kind: Literal[("exact", *KINDS)] = "exact"  # type: ignore[valid-type]
    """exact: its whole distributions. Else a few tokens of each, made once and kept on disk, forward
    KL only: sampled (right on average), top_k (renormalised: biased), with_tail (the rest is one)."""
    k: int = 50
    """Tokens kept of each distribution, or drawn from it."""
    seed: int = 0
    """Of the draws, apart from the run's, so that runs of several seeds can share a cache."""
    cache: str = ""
    """FOLDER made by `kdlib cache`; left out: made in the run's folder."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UserError(f"targets.k: {self.k} is not at least 1")
        if self.cache and self.kind == "exact":
            raise UserError(
                "targets.cache: exact targets are not read from disk; give targets.kind, one of"
                f" {', '.join(KINDS)}"
            )


@dataclass(frozen=True)
class Controls:
    """The same student, trained otherwise: what distillation has to beat."""

    equal_steps: tyro.conf.FlagConversionOff[bool] = True
    """A control with the student's number of steps."""
    equal_compute: tyro.conf.FlagConversionOff[bool] = True
    """A control with the operations of teacher pass and student (so, more steps)."""
    patient: tyro.conf.FlagConversionOff[bool] = False
    """A control with as many steps as lower its loss on the validation text. It takes long."""
    off_policy: tyro.conf.FlagConversionOff[bool] = True
    """Beside a student that writes texts itself (on_policy.share): the same one taught on given text
    only, for as many of the teacher's tokens, and once more for as many operations."""


@dataclass(frozen=True)
class Recipe:
    """Distil a language model, train its controls, and report."""

    data: Data = Data()
    teacher: TeacherSettings = TeacherSettings()
    student: StudentSettings = StudentSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    targets: TargetSettings = TargetSettings()
    on_policy: OnPolicy = OnPolicy()
    controls: Controls = Controls()
    log: Log = Log()
    evaluate: Evaluate = Evaluate()
    until: Literal["teacher", "report"] = "report"
    """The last thing to make: 'teacher' stops once the teacher is trained."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """auto: a GPU where there is one."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 where the hardware multiplies bf16 matrices faster, else fp32."""
    sharding: Literal["none", "full"] = "none"
    """full: where several processes run, each keeps only its part of the weights, gradients and
    optimiser state, the teacher's weights too (FSDP2); none: each keeps all (DDP)."""
    compile: tyro.conf.FlagConversionOff[bool] = False
    """torch.compile the transformer blocks and the loss: a slower start, faster steps on a GPU."""
    loss_pass: Literal["auto", "compiled", "eager"] = "auto"
    """The loss's element-wise pass: auto compiles it on a GPU, if a compiler works, and with
    compile."""
    seed: int = 0
    """Of weights, data order and samples."""
    seeds: int = 1
    """Trainings of the student and of each control, with seed, seed + 1, and so on. One says what
    this training was worth; three or more say what another would be."""

    def __post_init__(self) -> None:
        refuse_impossible(self)
        self.student.lora.check_student(self.student.source, self.teacher.source, self.sharding)
        if self.seeds < 1:
            raise UserError(f"seeds: {self.seeds} is too few; use 1 or more")
        if self.until == "teacher" and self.teacher.source != "train":
            raise UserError(
                "until: 'teacher' needs teacher.source = train; nothing else is trained"
            )
        if self.teacher.source == "train":
            self._check_student_of_new_teacher()
        if self.teacher.dtype != "auto" and self.sharding != "none":
            raise UserError(
                f"teacher.dtype: {self.teacher.dtype} is not sharded; use --sharding none or auto"
            )
        if self.teacher.dtype in BITS and self.student.source == "pruned":
            raise UserError(
                f"teacher.dtype: nothing can be cut out of {self.teacher.dtype} weights; use bfloat16,"
                " or a student that is not pruned"
            )
        if self.student.cross_tokenizer:
            self._check_student_with_own_tokenizer()
        if self.targets.cache and self.teacher.source == "train":
            raise UserError(
                "targets.cache: a teacher that is yet to be trained has no targets on disk"
            )
        if self.targets.kind != "exact" and self.objective.divergence != "forward_kl":
            raise UserError(
                f"objective.divergence: {self.objective.divergence} needs the teacher's whole"
                f" distributions; with targets.kind = {self.targets.kind} use forward_kl"
            )

        if self.on_policy.share:
            self._check_rollouts()
        if self.data.records:
            self._check_records()
        elif self.evaluate.exact_match:
            raise UserError("evaluate.exact_match: a text has no answers; give --data.records")

    def _check_records(self) -> None:
        """Records are read with the teacher's tokenizer and template before anything is trained."""
        refused = {
            "teacher.source": self.teacher.source == "train"
            and "a teacher of records exists already",
            "student.cross_tokenizer": self.student.cross_tokenizer
            and "records have one template, of one tokenizer",
            "on_policy.share": self.on_policy.share
            and "texts that the student writes begin as texts do, not as records",
        }
        for name, why in refused.items():
            if why:
                raise UserError(f"data.records: {why}; {name} must be left as it is")

    def _check_rollouts(self) -> None:
        """What the student writes needs a teacher that is at hand and reads the same tokens."""
        self.on_policy.rollouts(self.data.block)
        if self.targets.kind != "exact":
            raise UserError(
                "on_policy.share: what the student writes has no targets on disk; use targets.kind"
                " exact, or share 0"
            )
        if self.student.cross_tokenizer:
            raise UserError(
                "on_policy.share: with cross_tokenizer the teacher cannot judge each of the"
                " student's tokens; use share 0"
            )
        objective = self.objective
        if self.on_policy.estimator == "single_sample" and (
            objective.divergence != "reverse_kl" or objective.temperature != 1
        ):
            raise UserError(
                "on_policy.estimator: single_sample estimates the reverse KL at temperature 1; use"
                " --objective.divergence reverse_kl"
            )
        if not objective.objective().teacher_weight:
            raise UserError(
                "on_policy.share: without a teacher (objective.weight 0) nothing is learned from"
                " what the student writes; use share 0"
            )

    def _check_student_with_own_tokenizer(self) -> None:
        """Such a student is a stored model, taught by spans."""
        if self.student.source in ("new", "pruned"):
            raise UserError(
                f"cross_tokenizer: a {self.student.source} student has the teacher's tokenizer;"
                " leave it out, or give --student a model folder"
            )
        if self.targets.kind != "exact" or self.objective.divergence != "forward_kl":
            raise UserError(
                "cross_tokenizer: it has targets and a divergence of its own; leave targets.kind and"
                " objective.divergence as they are (exact, forward_kl)"
            )

    def _check_student_of_new_teacher(self) -> None:
        """Without these checks, the mistakes would show after the teacher's training."""
        student, blocks = self.student, self.teacher.size.layers
        if student.source == "pruned" and student.pruning.layers > blocks:
            raise UserError(
                f"student.pruning.layers: {student.pruning.layers} is more than the teacher's"
                f" {blocks} blocks"
            )
        if student.source not in ("new", "pruned"):
            raise UserError(
                f"student: {student.source} cannot have the tokenizer of a teacher that is yet to"
                " be trained; use --student new or pruned"
            )


@dataclass(frozen=True)
class DistillOptions:
    """Distil a language model, train its controls, and report."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = Recipe()
    out: Path | None = None
    """Folder of the run; runs/RECIPE if left out."""
    resume: bool = False
    """Go on with the run in --out."""
    overwrite: bool = False
    """Delete the run in --out first."""
    dry_run: bool = False
    """Only look: what is read, what the run takes, and whether the teacher knows the text."""


@dataclass(frozen=True)
class CacheOptions:
    """Ask the teacher about the student's text once, and keep a few tokens of each answer on disk.

    What stands already in the folder stays: a maker that was stopped goes on, more text is added.
    """

    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = Recipe()
    out: Path | None = None
    """Folder of the cache; caches/RECIPE if left out."""
    write_prompts: Path | None = None
    """Only write to this FILE, as JSONL of token ids, what another engine has to score."""
    from_logprobs: Path | None = None
    """Make the cache from this FILE: the top-k log-probabilities of those prompts, as vLLM and servers
    like OpenAI's give them (prompt_logprobs), an answer a line. Needs targets.kind with_tail."""

    def __post_init__(self) -> None:
        if self.write_prompts is not None and self.from_logprobs is not None:
            raise UserError(
                "from_logprobs: the prompts are to be written, too; do one after the other"
            )
