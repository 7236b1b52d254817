"""A cache of several shards."""

import pytest
from cache_cases import POSITIONS, TEACHER, TEXT, contents

from kdlib.teachers import cache_writer
from kdlib.teachers.cache_writer import write_cache


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(cache_writer, "SHARD_TOKENS", 5 * POSITIONS)
    monkeypatch.setattr(cache_writer, "PASS_TOKENS", 2 * POSITIONS)


@pytest.fixture
def made(tmp_path, small_shards):
    write_cache(tmp_path / "cache", contents(), TEACHER, TEXT)
    return tmp_path / "cache"
