"""How a teacher's weights are kept while it teaches, and which packages a recipe's wishes need."""

from __future__ import annotations

from torch import nn

from kdlib.jobs.context import RunModels
from kdlib.jobs.recipe import Recipe
from kdlib.models.folders import load_model
from kdlib.models.frozen import freeze
from kdlib.models.lora import refuse_missing_peft
from kdlib.models.narrow import narrow_exactly, narrow_rounded
from kdlib.models.quantized import BITS, quantize, refuse_missing_bitsandbytes


def refuse_missing_packages(recipe: Recipe) -> None:
    """Refuse adapters without peft, and 8 or 4 bits without bitsandbytes.

    Args:
        recipe: of a run.

    Raises:
        UserError: with the command that installs what is missing.
    """
    if recipe.student.lora.rank:
        refuse_missing_peft()
    refuse_missing_bitsandbytes(recipe.teacher.dtype)


def as_kept(teacher: nn.Module, dtype: str, precision: str) -> nn.Module:
    """Keep a teacher's matrices as the recipe wants them, in place.

    Args:
        teacher: frozen, in float32, on the CPU, without slots that are no token.
        dtype: of the recipe's teacher.
        precision: of the matrix products, "bf16" or "fp32".

    Returns:
        The same model, not yet on its device.
    """
    if dtype in BITS:
        return quantize(teacher, dtype)
    if dtype == "bfloat16":
        return narrow_rounded(teacher)
    # In float32, autocast would cast the teacher's matrices in every pass: they are not trained.
    return narrow_exactly(teacher) if (dtype, precision) == ("auto", "bf16") else teacher


def load_finished(models: RunModels, name: str) -> nn.Module:
    """Load a model of a run to measure it: the teacher as it has taught, if the recipe says how.

    Args:
        models: of the run.
        name: "teacher", or of a finished learner.

    Returns:
        The model, on the CPU.
    """
    dtype = models.recipe.teacher.dtype
    if name != "teacher":
        return load_model(models.finished[name])
    teacher = load_model(models.teacher)
    return teacher if dtype == "auto" else as_kept(freeze(teacher), dtype, "fp32")
