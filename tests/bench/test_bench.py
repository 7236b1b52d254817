"""The benchmark measures what it says it does. No time is asserted."""

import pytest
import torch

from kdlib.bench import cache, loss, peers, roofline, variants
from kdlib.bench.cache import Sizes
from kdlib.bench.variants import SIZES, Size, make_inputs
from kdlib.losses.fused import compiled
from kdlib.losses.fused.inputs import Head, HiddenTargets
from kdlib.losses.fused.loss import fused_distillation_loss
from kdlib.losses.objectives import Objective
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.teachers.base import TeacherTargets

TINY = Size(tokens=40, width=8, teacher_width=12, vocabulary=300)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "tiny", TINY)
        patch.setattr(variants, "is_available", lambda device: False)
        patch.setattr(roofline, "SQUARE", 64)
        patch.setattr(roofline, "COPIED_BYTES", 2**20)
        # The process that measures memory does not know of the patches, but is given the numbers.
        return loss.measure("tiny", "fp32", rounds=1)


def test_every_variant_is_measured(tiny):
    assert {"dense", "fused"} <= set(tiny["variants"])
    assert tiny["variants"]["dense"]["to_dense"] == 1
    assert tiny["floor_seconds"] > 0
    for row in tiny["variants"].values():
        assert row["to_floor"] == row["seconds"] / tiny["floor_seconds"]
        assert row["to_roofline"] == row["seconds"] / tiny["roofline"]["seconds"]


def test_what_is_not_measured_is_named_with_its_reason(tiny):
    everything = {"dense", "fused", "compiled", "dense compiled", *peers.LOADERS}
    assert set(tiny["variants"]) | set(tiny["missing"]) == everything
    for name in ("compiled      ", "dense compiled"):
        assert f"\n{name} not measured: no compiler" in loss.table(tiny)


def test_the_table_names_size_and_variants(tiny):
    table = loss.table(tiny)
    assert "N=40 H=8/12 V=300, fp32, cpu" in table
    assert all(name in table for name in ("floor", "dense", "fused"))


def test_a_benchmark_changes_no_later_training(monkeypatch, tmp_path):
    """The compiled form rounds differently: it may not take over because it was once faster."""
    for variable in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setitem(SIZES, "tiny", TINY)
    seconds = {"dense": [1.0], "fused": [0.5], "compiled": [0.1]}
    monkeypatch.setattr(loss, "_times", lambda *_: seconds)
    monkeypatch.setattr(loss, "measure_peaks", lambda *_: roofline.Peaks(1.0, 1.0))
    monkeypatch.setattr(loss, "errors", lambda *_: dict.fromkeys(seconds, [0.0] * 3))
    monkeypatch.setattr(loss, "extra_memory_bytes", lambda *_: 0)
    loss.measure("tiny", "fp32")
    monkeypatch.setattr(compiled, "_compiled", lambda: pytest.fail("compiled without a word"))
    inputs = make_inputs(TINY, torch.float32, CPU)
    targets = HiddenTargets(inputs.teacher, Head(inputs.teacher_head))
    fused_distillation_loss(
        inputs.student, Head(inputs.head), targets, objective=Objective()
    ).total.backward()
    assert not list(tmp_path.iterdir())


def test_variants_compute_the_same_thing():
    """So that a time is not bought with another result."""
    for dtype, bound in ((torch.float32, 1e-5), (torch.bfloat16, 2e-2)):
        for name, wrong in loss.errors(variants.variants_on(CPU)[0], TINY, dtype, CPU).items():
            assert all(0 < error < bound for error in wrong), (name, dtype)


def test_an_error_would_be_seen():
    off = {"off": lambda given: 1.01 * variants.dense(given)}
    assert loss.errors(off, TINY, torch.float32, CPU)["off"] == pytest.approx([0.01] * 3, rel=1e-3)


def test_memory_of_a_variant_is_its_own():
    """One matrix of the logits is 40 MB here; the dense loss keeps several, the fused one none."""
    size = Size(tokens=2000, width=8, teacher_width=8, vocabulary=5000)
    dense, fused = (loss.extra_memory_bytes(name, size, "fp32") for name in ("dense", "fused"))
    assert dense > 3 * 4 * 2000 * 5000
    assert fused < dense / 4


@pytest.mark.slow
def test_the_peak_of_a_process_is_the_same_each_time():
    """Where a heap lies is chance, and large blocks that stay in it would be counted now and then."""
    size = Size(tokens=512, width=64, teacher_width=64, vocabulary=49_152)
    peaks = [loss.extra_memory_bytes("fused", size, "fp32") for _ in range(6)]
    assert max(peaks) < 1.05 * min(peaks)


def test_both_ways_of_training_read_the_same_blocks(monkeypatch):
    read = {"cached": [], "beside": []}

    class Recorded(TeacherTargets):
        def __init__(self, name, targets):
            self.name, self.targets = name, targets

        def __call__(self, rows, ids):
            read[self.name].append(rows.tolist())
            return self.targets(rows, ids)

    for name, attribute in (("cached", "CachedTargets"), ("beside", "LiveTargets")):
        make = getattr(cache, attribute)
        record = lambda *given, make=make, name=name: Recorded(name, make(*given))
        monkeypatch.setattr(cache, attribute, record)
    teacher = new_model(ModelSize(16, 1, 2), 90, 2 * cache.BLOCK, seed=0)
    result = cache.measure(Sizes(ModelSize(8, 1, 2), epochs=(8, 16), rounds=2), teacher)
    steps = 1 + 2 * cache.STEPS  # a warm-up, two rounds
    assert read["cached"][:steps] == read["beside"]
    assert len(read["cached"]) == steps + 1 + 2  # and the two epochs
    assert list(result["epoch_seconds"]) == [8 * cache.BLOCK, 16 * cache.BLOCK]
    assert result["ratio"] == pytest.approx(sum(result["ratios"]) / 2)
    assert all(seconds > 0 for seconds in result["epoch_seconds"].values())
    assert "2,048 tokens" in cache.table(result)
