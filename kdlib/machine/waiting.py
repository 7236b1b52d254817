"""How long torch's threads wait for one another by spinning.

Between two products, a thread that has finished its part spins: it asks again and again whether the
others have finished, too. On a quiet machine that is the fastest way to go on. On a busy one the
spinning thread holds the core that the thread it waits for needs, and a training of minutes takes
hours. So threads spin for a bounded time, then sleep.
"""

from __future__ import annotations

from collections.abc import MutableMapping

# Of GNU's runtime, which pip's torch brings along. 30,000 turns are no slower on a quiet machine, and
# half as fast beside one busy process; for Intel's runtime, no bound was seen to be better than its
# own.
SPINCOUNT = "3000"


def bound_waiting(environment: MutableMapping[str, str]) -> None:
    """Bound the spinning of OpenMP's threads.

    The runtime reads the environment once, when torch is loaded: call this before.

    Args:
        environment: of the process, ``os.environ``. What the user has set in it stays.
    """
    # GOMP_SPINCOUNT would overrule OMP_WAIT_POLICY without a word.
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", SPINCOUNT)
