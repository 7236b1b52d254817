"""A teacher kept in fewer bits: what it takes, what it says, and what is refused."""

import copy
import dataclasses
import importlib.util

import pytest
import torch
from accelerate.state import AcceleratorState
from little_runs import paragraphs, result, write_file

from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.errors import UserError
from kdlib.jobs.caches import cache_targets
from kdlib.jobs.classroom import open_classroom
from kdlib.jobs.context import open_context
from kdlib.jobs.data_settings import Data
from kdlib.jobs.kept import as_kept
from kdlib.jobs.pipeline import distill
from kdlib.jobs.recipe import Controls, Recipe, StudentSettings, TargetSettings, TeacherSettings
from kdlib.jobs.recipe_files import recipe_fingerprint
from kdlib.models import quantized
from kdlib.models.folders import load_model, save_model, wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.models.frozen import freeze
from kdlib.models.heads import linear_head
from kdlib.models.narrow import narrow_rounded
from kdlib.models.pruning import Pruning
from kdlib.training.schedule import Training

TRAINING = Training(steps=3, batch=4)
needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)


@pytest.fixture(autouse=True)
def one_precision_a_test():
    """Accelerate keeps the first one of a process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A text, and two teachers of the same weights: of many digits, and as bfloat16 stores them."""
    folder = tmp_path_factory.mktemp("made")
    text = "\n\n".join(paragraphs(120))
    write_file(folder / "book.txt", [text])
    tokenizer = wrap_tokenizer(train_tokenizer([Document("book", text)], 300), context=64)
    teacher = new_model(ModelSize(64, 2, 4, initial_std=0.2), len(tokenizer), 64, seed=1)
    save_model(teacher, tokenizer, folder / "wide")
    save_model(teacher, tokenizer, folder / "narrow", torch.bfloat16)
    return folder


def recipe(made, source, dtype="auto", **changes):
    asked = Recipe(
        data=Data(text=str(made / "book.txt"), fraction=0.5, test_fraction=1, block=16),
        teacher=TeacherSettings(source=str(made / source), dtype=dtype),
        student=StudentSettings(size=ModelSize(8, 1, 1), training=TRAINING),
        controls=Controls(equal_steps=False, equal_compute=False),
        device="cpu",
    )
    return dataclasses.replace(asked, **changes)


def teacher_of(recipe, folder):
    return open_classroom(open_context(recipe, folder)).teacher


def kinds(model):
    return {p.dtype for p in model.parameters() if p.ndim == 2}


@pytest.mark.parametrize(
    ("source", "dtype", "precision", "kept"),
    [
        ("narrow", "auto", "fp32", torch.float32),
        ("narrow", "auto", "bf16", torch.bfloat16),
        ("narrow", "float32", "bf16", torch.float32),
        ("narrow", "bfloat16", "fp32", torch.bfloat16),
        ("wide", "auto", "bf16", torch.float32),
        ("wide", "bfloat16", "fp32", torch.bfloat16),
    ],
)
def test_matrices_are_kept_as_asked(made, tmp_path, source, dtype, precision, kept):
    teacher = teacher_of(recipe(made, source, dtype, precision=precision), tmp_path / "run")
    assert kinds(teacher) == {kept}
    assert not teacher.training and not any(p.requires_grad for p in teacher.parameters())


def test_rounded_it_says_what_the_same_numbers_say_in_float32(made):
    """Against a copy that is rounded here, by torch alone."""
    ids = torch.arange(24).view(2, 12)
    wide, expected = (freeze(load_model(made / "wide")) for _ in range(2))
    before = wide(input_ids=ids).logits
    for parameter in expected.parameters():
        if parameter.ndim == 2:
            parameter.data = parameter.bfloat16().float()
    rounded = narrow_rounded(wide)
    assert torch.equal(rounded(input_ids=ids).logits, expected(input_ids=ids).logits)
    assert not torch.equal(rounded(input_ids=ids).logits, before)
    assert linear_head(rounded) is not None


def test_the_report_measures_the_teacher_as_it_has_taught(made, tmp_path):
    """Its file has float32, and another loss."""
    losses = {}
    for source, dtype in (("wide", "auto"), ("wide", "bfloat16"), ("narrow", "auto")):
        report = distill(recipe(made, source, dtype, precision="fp32"), tmp_path / (source + dtype))
        losses[source, dtype] = report["teacher"]["cross_entropy"]
        assert result(tmp_path / (source + dtype))["recipe"]["teacher"]["dtype"] == dtype
    assert losses["wide", "bfloat16"] == losses["narrow", "auto"] != losses["wide", "auto"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_cache_is_known_by_the_numbers_not_by_their_width(made, tmp_path, precision):
    """A teacher in bfloat16 is kept so, or widened; another teacher's cache is refused."""
    targets = TargetSettings(kind="with_tail", k=5)
    asked = recipe(made, "narrow", targets=targets, precision=precision)
    cache_targets(asked, tmp_path / "cache")
    targets = dataclasses.replace(targets, cache=str(tmp_path / "cache"))
    for dtype in ("auto", "float32", "bfloat16"):
        open_classroom(
            open_context(
                recipe(made, "narrow", dtype, targets=targets, precision=precision),
                tmp_path / "run",
            )
        )
    rounded = recipe(made, "wide", "bfloat16", targets=targets, precision=precision)
    open_classroom(open_context(rounded, tmp_path / "run"))
    with pytest.raises(UserError, match="cache"):
        open_classroom(
            open_context(
                recipe(made, "wide", targets=targets, precision=precision), tmp_path / "run"
            )
        )


# --- 8 and 4 bits -------------------------------------------------------------------------------


@needs_bitsandbytes
@pytest.mark.parametrize(("dtype", "most"), [("int8", 0.1), ("int4", 0.7)])
def test_in_fewer_bits_it_says_nearly_the_same(made, dtype, most):
    """How far off is a share of the logits' own spread: of no information it would be 1.4."""
    ids = torch.arange(24).view(2, 12)
    whole = freeze(load_model(made / "wide"))
    few = as_kept(copy.deepcopy(whole), dtype, "fp32").to("cpu")
    said, expected = few(input_ids=ids).logits, whole(input_ids=ids).logits
    off = (said - expected).std() / expected.std()
    assert 0 < off < most
    assert parameter_count(few) == parameter_count(whole)
    assert few.lm_head.weight is few.model.embed_tokens.weight and linear_head(few) is not None
    layers = {name: p.element_size() for name, p in few.named_parameters() if "proj" in name}
    # Of the MLP's last matrix, a row has 160 numbers: no whole blocks of 64.
    whole = {name for name, size in layers.items() if size > 1}
    assert len(layers) == 14 and len(whole) == (2 if dtype == "int4" else 0)
    assert all("down_proj" in name for name in whole)


@needs_bitsandbytes
@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_a_student_learns_from_it(made, tmp_path, dtype):
    report = distill(recipe(made, "wide", dtype), tmp_path / "run")
    assert report["student"]["forward_kl"] > 0
    assert report["operations"] == distill(recipe(made, "wide"), tmp_path / "o")["operations"]


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_where_bitsandbytes_is_missing_it_is_refused_before_anything_is_read(
    made, tmp_path, monkeypatch, dtype
):
    monkeypatch.setattr(quantized.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=f"teacher.dtype: {dtype} needs bitsandbytes, which is not"):
        distill(recipe(made, "wide", dtype), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match="bitsandbytes"):
        cache_targets(recipe(made, "wide", dtype, targets=TargetSettings(kind="top_k")), tmp_path / "c")  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"teacher": {"source": "train"}}, "teacher.dtype: int8 is for a teacher that exists"),
        ({"sharding": "full"}, "teacher.dtype: int8 is not sharded"),
        (
            {"student": StudentSettings(source="pruned", pruning=Pruning(layers=1))},
            "cut out of int8",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_once(made, changes, words):
    with pytest.raises(UserError, match=words):
        teacher = TeacherSettings(**{"source": "pocket", "dtype": "int8"} | changes.pop("teacher", {}))  # fmt: skip
        Recipe(teacher=teacher, **changes)


def test_another_dtype_is_another_run(made):
    prints = {recipe_fingerprint(recipe(made, "wide", d)) for d in ("auto", "float32", "bfloat16")}
    assert len(prints) == 3
