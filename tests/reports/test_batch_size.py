"""An evaluation's batches: small on a processor, and on a GPU what its free memory holds."""

import pytest
import torch

from kdlib.reports.batch_size import MATRICES, MOST, ON_PROCESSOR, tokens_at_once


@pytest.fixture
def free(monkeypatch):
    """free(bytes): a GPU with so much free memory."""

    def of(size):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (size, 10 * size))
        return torch.device("cuda", 0)

    return of


@pytest.mark.parametrize("device", ["cpu", "mps", "meta"])
def test_a_device_that_tells_no_free_memory_reads_little_at_a_time(device):
    assert tokens_at_once(torch.device(device), 50_000) == ON_PROCESSOR


@pytest.mark.parametrize("gigabytes", [8, 24, 80, 139])
@pytest.mark.parametrize("vocabulary", [2_048, 49_152, 256_000])
def test_what_a_gpu_reads_at_once_fits_with_room_for_the_layers(free, gigabytes, vocabulary):
    tokens = tokens_at_once(free(gigabytes << 30), vocabulary)
    assert ON_PROCESSOR <= tokens <= MOST
    if tokens > ON_PROCESSOR:
        assert tokens * vocabulary * 4 * MATRICES <= (gigabytes << 30) / 4


def test_more_memory_reads_more_and_a_larger_vocabulary_less(free):
    sizes = [tokens_at_once(free(size << 30), 49_152) for size in (16, 80)]
    assert sizes[0] < sizes[1]
    assert tokens_at_once(free(80 << 30), 256_000) < sizes[1]


def test_no_memory_left_is_no_reason_to_read_nothing(free):
    assert tokens_at_once(free(0), 49_152) == ON_PROCESSOR
