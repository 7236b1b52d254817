"""The command line: one function per command, errors as one line, exit code 2."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

OVERVIEW = """\
kdlib: knowledge distillation of language models

  kdlib distill RECIPE [--out FOLDER]   distil a student, train its controls, write a report
  kdlib evaluate RUN                    show a run's report again
  kdlib generate RUN "PROMPT"           let teacher, student and controls go on from a prompt
  kdlib doctor                          what this machine offers and what is missing

Recipes: {recipes}, or a file ending in .toml.
Every command has --help; `kdlib distill pocket --help` lists every setting with its value."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 2 input that cannot be used, 130 stopped by a signal."""
    arguments = sys.argv[1:] if arguments is None else arguments
    from kdlib.errors import UserError

    try:
        _dispatch(arguments)
    except UserError as error:
        print(f"kdlib: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output has left, for example `| head`
        sys.stderr.close()
    except OSError as error:
        print(f"kdlib: {error.filename or 'disk'}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("kdlib: stopped", file=sys.stderr)
        sys.exit(130)


def _dispatch(arguments: list[str]) -> None:
    from kdlib.errors import UserError

    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        from kdlib.recipes import built_in

        print(OVERVIEW.format(recipes=", ".join(built_in())))
    elif name in COMMANDS:
        COMMANDS[name](rest)
    else:
        raise UserError(f"unknown command: {name}; there are {', '.join(COMMANDS)}")


# --- distill ------------------------------------------------------------------------------------


def distill(arguments: list[str]) -> None:
    """`kdlib distill RECIPE [flags]`."""
    from kdlib import recipes
    from kdlib.distill import distill as run
    from kdlib.report import terminal_table
    from kdlib.train import Interrupted

    name, flags = _recipe_and_flags(arguments)
    defaults = recipes.DistillOptions(recipes.load(name))
    asked = recipes.parse(recipes.DistillOptions, flags, defaults, prog=f"kdlib distill {name}")
    title = Path(name).stem
    out = asked.out or Path("runs") / title
    print(recipes.to_toml(asked.recipe))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        report = run(asked.recipe, title, out, resume=asked.resume, overwrite=asked.overwrite)
    except (Interrupted, KeyboardInterrupt) as stopped:
        print(f"kdlib: {str(stopped) or 'stopped'}; go on with: {_go_on(name, flags)}", file=sys.stderr)
        sys.exit(130)
    if report is None:
        print(f"Teacher: {out / 'teacher'}")
        return
    print(terminal_table(report))
    print(f"\nReport:  {out / 'report.html'}\nStudent: {out / 'student'}")


def _recipe_and_flags(arguments: list[str]) -> tuple[str, list[str]]:
    if not arguments or arguments[0].startswith("-"):
        return "pocket", arguments
    return arguments[0], arguments[1:]


def _go_on(name: str, flags: list[str]) -> str:
    import shlex

    kept = [flag for flag in flags if flag not in ("--overwrite", "--resume")]
    return shlex.join(["kdlib", "distill", name, *kept, "--resume"])


# --- after the run ------------------------------------------------------------------------------


def evaluate(arguments: list[str]) -> None:
    """`kdlib evaluate RUN`: load the run's models and measure them again."""
    from kdlib import recipes
    from kdlib.distill import evaluate as run
    from kdlib.report import terminal_table

    options = recipes.parse(recipes.EvaluateOptions, arguments, prog="kdlib evaluate")
    print(terminal_table(run(options.run)))
    print(f"\nReport:  {options.run / 'report.html'}")


def generate(arguments: list[str]) -> None:
    """`kdlib generate RUN PROMPT`: how each of the run's models goes on."""
    from kdlib import recipes
    from kdlib.distill import continuations

    options = recipes.parse(recipes.GenerateOptions, arguments, prog="kdlib generate")
    texts = continuations(options.run, options.prompt, options.tokens, options.seed)
    for name, text in texts.items():
        print(f"--- {name}\n{options.prompt}{text}\n")


def doctor(arguments: list[str]) -> None:
    """`kdlib doctor`: what this machine offers; exit code 1 where something is missing."""
    from kdlib import recipes
    from kdlib.doctor import examine

    recipes.parse(recipes.DoctorOptions, arguments, prog="kdlib doctor")
    findings = examine()
    for finding in findings:
        print(f"{'ok     ' if finding.ok else 'MISSING'}  {finding.name:<12} {finding.text}")
    if not all(finding.ok for finding in findings):
        sys.exit(1)


COMMANDS = {"distill": distill, "evaluate": evaluate, "generate": generate, "doctor": doctor}
