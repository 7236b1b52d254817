"""The suite keeps no progress in the reader's own folder."""

import pytest

from kdlib.exercises import progress


@pytest.fixture(autouse=True)
def no_progress(monkeypatch):
    monkeypatch.setenv(progress.FOLDER, "off")
