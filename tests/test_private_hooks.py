"""What the project uses of other libraries that they do not promise: each fails here, by its name.

When one of these tests turns red after an update, the hook that it names has changed: look at the
place that uses it, and at what the library offers instead.
"""

import inspect
import re
from pathlib import Path

import pytest
import torch

import kdlib
from kdlib.errors import UserError

PACKAGE = Path(kdlib.__file__).parent


def tyro_errors():
    """kdlib/jobs/flags.py: what could not be parsed, as an event instead of a printed box."""
    from dataclasses import dataclass

    from tyro import _errors

    from kdlib.jobs.flags import parse

    @dataclass
    class Options:
        steps: int

    assert inspect.isgeneratorfunction(_errors.on_parse_error.__wrapped__)
    refusals = {
        ("--steps", "3", "--stepz", "3"): "unknown field: stepz; did you mean steps?",
        (): "missing: steps; see --help",
        ("--steps", "x"): "steps: ",
    }
    for arguments, start in refusals.items():
        with pytest.raises(UserError) as refused:
            parse(Options, list(arguments))
        assert str(refused.value).startswith(start)


def transformers_masking():
    """kdlib/models/heads.py: the look for packed texts, which waits for a GPU at each pass."""
    from unittest import mock

    from transformers import masking_utils

    from kdlib.models.from_scratch import ModelSize, new_model
    from kdlib.models.heads import last_hidden_states

    model, ids = new_model(ModelSize(16, 1, 2), 20, 32, seed=0), torch.zeros(2, 5, dtype=torch.long)
    look = masking_utils.find_packed_sequence_indices
    with mock.patch.object(masking_utils, "find_packed_sequence_indices", wraps=look) as seen:
        model(input_ids=ids, use_cache=False)
        assert seen.called, "transformers looks no more: the patch in heads.py can go"
        seen.reset_mock()
        last_hidden_states(model, ids)
        assert not seen.called
        assert masking_utils.find_packed_sequence_indices is seen


def transformers_blocks():
    """kdlib/machine/devices.py, models/heads.py: the class names of a model's blocks."""
    from transformers import LlamaForCausalLM

    assert "LlamaDecoderLayer" in LlamaForCausalLM._no_split_modules


def accelerate_fsdp2():
    """kdlib/machine/sharding.py: sharding a module that is not trained."""
    from accelerate.utils import fsdp2_prepare_model

    assert list(inspect.signature(fsdp2_prepare_model).parameters) == ["accelerator", "model"]


def accelerate_state():
    """kdlib/machine/sharding.py: FSDP on processors, by writing the state that accelerate reads."""
    from accelerate import PartialState
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedType

    assert {"MULTI_CPU", "FSDP"} <= set(DistributedType.__members__)
    source = inspect.getsource(AcceleratorState)
    assert "fsdp_plugin" in source and "distributed_type = DistributedType.FSDP" in source
    # Written, not only read: no property stands in the way.
    assert not isinstance(inspect.getattr_static(PartialState, "distributed_type", None), property)


def torch_amx():
    """kdlib/machine/devices.py: whether a processor multiplies bf16 matrices in tiles."""
    assert isinstance(torch.cpu._is_amx_tile_supported(), bool)


def torch_dispatch():
    """kdlib/exercises/chapter_08/bug_chunked_kl.py: every tensor that an answer makes is seen."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Seen(TorchDispatchMode):
        shapes = ()

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            made = function(*args, **(kwargs or {}))
            self.shapes += (tuple(made.shape),)
            return made

    with Seen() as seen:
        torch.zeros(2, 3) @ torch.zeros(3, 5)
    assert seen.shapes == ((2, 3), (3, 5), (2, 5))


def torch_wrapper():
    """kdlib/data/stored_blocks.py: a tensor that has a shape and no memory."""
    from kdlib.data.stored_blocks import StoredRows

    rows = StoredRows(lambda first, last: torch.arange(first, last), (10**9, 5), torch.int64)
    assert rows.shape == (10**9, 5) and isinstance(rows, torch.Tensor)
    assert rows[2].tolist() == [8, 9, 10, 11, 12]
    with pytest.raises(RuntimeError, match="on the disk"):
        rows + 1


HOOKS = (
    tyro_errors,
    transformers_masking,
    transformers_blocks,
    accelerate_fsdp2,
    accelerate_state,
    torch_amx,
    torch_dispatch,
    torch_wrapper,
)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_the_private_hook_is_still_there(hook):
    hook()


def test_no_other_private_name_of_a_library_is_used():
    """A new one gets its test above, and its pattern here."""
    known = {
        *("_errors", "_is_amx_tile_supported", "_make_wrapper_subclass", "_no_split_modules"),
        "_python_dispatch",
    }
    private = re.compile(
        r"\b(?:torch|tyro|transformers|accelerate)[\w.]*\.(_[a-z]\w*)|\"(_no_\w+)\""
    )
    used = {
        next(filter(None, match.groups()))
        for path in PACKAGE.rglob("*.py")
        for match in private.finditer(path.read_text("utf-8"))
    }
    assert used == known
