"""The command about shells: what bash, zsh and fish need to complete commands, flags and values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import tyro

from kdlib.jobs.fields import fields_of
from kdlib.jobs.flags import parse
from kdlib.machine.console import show


@dataclass(frozen=True)
class CompletionOptions:
    """Print what a shell needs to complete the commands of kdlib.

    bash: eval "$(kdlib completion bash)" in ~/.bashrc. zsh: the same in ~/.zshrc, after compinit.
    fish: kdlib completion fish > ~/.config/fish/completions/kdlib.fish.
    """

    shell: tyro.conf.Positional[Literal["bash", "zsh", "fish"]]
    """Whose language to speak."""


class Verb(NamedTuple):
    """What can follow a command.

    Attributes:
        words: its first argument, where that is one of a few.
        flags: each with the values that it can have, where they are few.
        meanings: of the flags, one line each.
    """

    words: tuple[str, ...]
    flags: dict[str, tuple[str, ...]]
    meanings: dict[str, str]


def completion(arguments: list[str]) -> None:
    """Run ``kdlib completion``: print the script of a shell."""
    options = parse(CompletionOptions, arguments, prog="kdlib completion")
    scripts: dict[str, Callable[[dict[str, Verb]], str]] = {"bash": _bash, "zsh": _zsh}
    show(scripts.get(options.shell, _fish)(_verbs()))


def _verbs() -> dict[str, Verb]:
    """All commands."""
    from kdlib.claims.registry import claims as all_claims
    from kdlib.commands import (
        book,
        challenge,
        claims,
        machine,
        museum,
        publish,
        recipes,
        records,
        runs,
    )  # fmt: skip
    from kdlib.jobs.recipe import CacheOptions, DistillOptions
    from kdlib.jobs.recipe_files import built_in_recipes

    known = (*built_in_recipes(),)
    shapes: dict[str, tuple[type, tuple[str, ...]]] = {
        "distill": (DistillOptions, known),
        "recipe": (recipes.RecipeOptions, known),
        "cache": (CacheOptions, known),
        "show": (records.ShowOptions, known),
        "write": (records.WriteOptions, known),
        "evaluate": (runs.EvaluateOptions, ()),
        "compare": (runs.CompareOptions, ()),
        "generate": (runs.GenerateOptions, ()),
        "publish": (publish.PublishOptions, ()),
        "doctor": (machine.DoctorOptions, ()),
        "bench": (machine.BenchOptions, ()),
        "fetch": (machine.FetchOptions, ()),
        "claim": (claims.ClaimOptions, (*all_claims(),)),
        "challenge": (challenge.ChallengeOptions, known),
        "exercises": (book.ExercisesOptions, ()),
        "symptom": (museum.SymptomOptions, ()),
        "start": (book.StartOptions, ()),
        "grade": (book.GradeOptions, ()),
        "completion": (CompletionOptions, ()),
    }
    verbs = {name: _verb(shape, words) for name, (shape, words) in shapes.items()}
    return verbs | {"help": Verb((*shapes,), {}, {})}


def _verb(shape: type, words: tuple[str, ...]) -> Verb:
    """A command with these options."""
    flags: dict[str, tuple[str, ...]] = {"--help": ()}
    meanings = {"--help": "Explain the command."}
    for field in fields_of(shape):
        values = field.choices
        if field.positional:
            words = words or values
            continue
        for flag in (*field.aliases, field.flag):
            flags[flag], meanings[flag] = values, field.meaning.partition("\n")[0]
    return Verb(words, flags, meanings)


def _cases(verbs: dict[str, Verb], reply: str) -> Iterable[str]:
    """What to reply with after a flag that has few values, in bash and in zsh."""
    for name, verb in verbs.items():
        for flag, values in verb.flags.items():
            if values:
                yield f'    "{name} {flag}") {reply.format(" ".join(values))}; return ;;'


def _words(verbs: dict[str, Verb], reply: str, *, flags: bool) -> Iterable[str]:
    """What to reply with for a flag of a command, or for its first argument."""
    for name, verb in verbs.items():
        words = " ".join(verb.flags if flags else verb.words)
        if words:
            yield f"    {name}) {reply.format(words)}; return ;;"


def _bash(verbs: dict[str, Verb]) -> str:
    """A function that sets COMPREPLY; where it stays empty, readline offers files."""
    reply = 'COMPREPLY=($(compgen -W "{}" -- "$word"))'
    return "\n".join(
        [
            "_kdlib() {",
            '  local word="${COMP_WORDS[COMP_CWORD]}" verb="${COMP_WORDS[1]}"',
            "  COMPREPLY=()",
            "  if ((COMP_CWORD == 1)); then",
            f"    {reply.format(' '.join([*verbs, '--help', '--version']))}",
            "    return",
            "  fi",
            '  case "$verb ${COMP_WORDS[COMP_CWORD - 1]}" in',
            *_cases(verbs, reply),
            "  esac",
            '  if [[ $word == -* ]]; then case "$verb" in',
            *_words(verbs, reply, flags=True),
            "  esac; fi",
            '  if ((COMP_CWORD == 2)); then case "$verb" in',
            *_words(verbs, reply, flags=False),
            "  esac; fi",
            "}",
            "complete -o default -F _kdlib kdlib",
        ]
    )


def _zsh(verbs: dict[str, Verb]) -> str:
    """The same in zsh's own words, which count from one."""
    reply = "compadd -- {}"
    return "\n".join(
        [
            "#compdef kdlib",
            "_kdlib() {",
            '  local verb="$words[2]"',
            f"  if ((CURRENT == 2)); then {reply.format(' '.join(verbs))}; return; fi",
            '  case "$verb $words[CURRENT-1]" in',
            *_cases(verbs, reply),
            "  esac",
            '  if [[ "$words[CURRENT]" == -* ]]; then case "$verb" in',
            *_words(verbs, reply, flags=True),
            "  esac; fi",
            '  if ((CURRENT == 3)); then case "$verb" in',
            *_words(verbs, reply + "; _files", flags=False),
            "  esac; fi",
            "  _files",
            "}",
            "compdef _kdlib kdlib",
        ]
    )


def _fish(verbs: dict[str, Verb]) -> str:
    """One line for each word that may come next."""
    lines = [f"complete -c kdlib -n __fish_use_subcommand -f -a '{' '.join(verbs)}'"]
    for name, verb in verbs.items():
        start = f"complete -c kdlib -n '__fish_seen_subcommand_from {name}'"
        if verb.words:
            lines.append(f"{start} -a '{' '.join(verb.words)}'")
        for flag, values in verb.flags.items():
            given = f" -x -a '{' '.join(values)}'" if values else ""
            meaning = verb.meanings[flag].replace("\\", "\\\\").replace("'", "\\'")
            lines.append(f"{start} -l {flag.removeprefix('--')}{given} -d '{meaning}'")
    return "\n".join(lines)
