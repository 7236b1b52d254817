"""Makes the clocks that a chapter may read as unsteady as those of a very busy machine.

A kernel runs this before its first cell. From one reading of a clock to the next, time seems to
pass at a quarter of its speed or at four times it, as chance has it; it never goes backwards.
"""

import random
import time


def unsteady(clock):
    chance = random.Random(0)
    real = told = clock()

    def read():
        nonlocal real, told
        passed, real = (now := clock()) - real, now
        told += passed * chance.choice((1 / 4, 4))
        return told

    return read


for name in ("perf_counter", "process_time", "thread_time"):
    setattr(time, name, unsteady(getattr(time, name)))
