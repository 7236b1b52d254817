"""The environment that a launcher sets for each of several processes: all of it, or none.

With a part of it a process would wait for others that do not exist, or believe that another one
writes the report. Nothing here imports torch, so it can be looked at first.
"""

from __future__ import annotations

from collections.abc import Mapping

from kdlib.errors import UserError

NUMBERS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT")
NEEDED = (*NUMBERS, "MASTER_ADDR")


def check_ranks(environment: Mapping[str, str]) -> None:
    """Refuse the environment of a process among several that is not complete.

    Args:
        environment: of the process, ``os.environ``.

    Raises:
        UserError: naming the variable that is missing, or is no number of its kind.
    """
    numbers = {name: _number(name, environment[name]) for name in NUMBERS if name in environment}
    rank, world = numbers.get("RANK", 0), numbers.get("WORLD_SIZE", 1)
    if rank == 0 and world <= 1 and "LOCAL_RANK" not in numbers:
        return  # alone, whatever a cluster has set
    missing = [name for name in NEEDED if not environment.get(name)]
    if missing:
        named = " and ".join(name for name in NEEDED if name not in missing)
        raise UserError(
            f"environment: {named} of several processes, but no {' and no '.join(missing)}; start"
            f" them with torchrun, or unset {named}"
        )
    if rank >= world:
        raise UserError(f"environment: RANK {rank} is not below WORLD_SIZE {world}; use torchrun")


def _number(name: str, text: str) -> int:
    """The number that a variable holds."""
    if not text.isdecimal():
        raise UserError(f"environment: {name} is {text!r}, which is not a number; unset it")
    return int(text)
