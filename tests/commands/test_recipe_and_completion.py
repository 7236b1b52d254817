"""`kdlib recipe` prints files that load to what they say; `kdlib completion` is asked by bash."""

import subprocess
import sys
import tomllib

import pytest

from kdlib import cli
from kdlib.jobs.annotated import annotated_toml
from kdlib.jobs.fields import fields_of
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import built_in_recipes, load_recipe


@pytest.mark.parametrize("name", built_in_recipes())
def test_a_printed_recipe_loads_to_the_same_recipe(name, capsys, tmp_path):
    cli.main(["recipe", name])
    (tmp_path / "my.toml").write_text(capsys.readouterr().out, encoding="utf-8")
    assert load_recipe(str(tmp_path / "my.toml")) == load_recipe(name)


def test_a_printed_recipe_is_complete_and_explains_itself():
    text = annotated_toml(Recipe())
    for field in fields_of(Recipe):
        leaf = field.name.rpartition(".")[2]
        (meaning, *_) = field.meaning.splitlines()
        assert meaning and f"# {meaning}\n" in text, field.name
        assert f"\n{leaf} = " in text or f"\n# {leaf} =\n" in text, field.name
    assert max(map(len, text.splitlines())) <= 100


def test_odd_texts_survive(tmp_path):
    (tmp_path / "odd.toml").write_text(
        '[data]\ntext = "世 \\"quoted\\" \\\\ back"\n', encoding="utf-8"
    )
    recipe = load_recipe(str(tmp_path / "odd.toml"))
    assert tomllib.loads(annotated_toml(recipe))["data"]["text"] == '世 "quoted" \\ back'


def test_without_a_name_all_are_listed(capsys):
    cli.main(["recipe"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == built_in_recipes()
    assert all(len(line.split()) > 4 for line in lines)


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Bash's own answer to the words of a command line, the last of which is being typed."""
    script = tmp_path_factory.mktemp("shell") / "kdlib.bash"
    made = subprocess.run(
        [sys.executable, "-m", "kdlib", "completion", "bash"], capture_output=True, check=True
    )
    script.write_bytes(made.stdout)

    def run(*words):
        typed = " ".join(f"'{word}'" for word in words)
        # The function that bash itself has noted for the command, called as bash calls it.
        code = (
            f"source '{script}'; spec=$(complete -p kdlib); f=${{spec##*-F }}; f=${{f%% *}};"
            f"COMP_WORDS=(kdlib {typed}); COMP_CWORD={len(words)}; $f;"
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.split()

    return run


def test_bash_completes_commands(ask):
    assert {*cli.COMMANDS, "help"} <= {*ask("")}
    assert ask("d") == ["distill", "doctor"]
    assert ask("help", "gr") == ["grade"]


def test_bash_completes_recipes_flags_and_values(ask):
    assert ask("distill", "po") == ["pocket", "pocket_teacher"]
    assert ask("distill", "tiny", "--student.tr") == [
        f.flag for f in fields_of(Recipe) if f.name.startswith("student.training")
    ]
    assert ask("distill", "tiny", "--device", "c") == ["cpu", "cuda"]
    assert ask("bench", "") == ["step", "loss", "cache"]
    assert ask("doctor", "--j") == ["--json"]


def test_where_files_are_wanted_bash_offers_them(ask):
    """An empty answer, with `-o default`, is readline's word for files."""
    assert ask("grade", "chap") == [] == ask("distill", "tiny", "--out", "x")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_know_every_command(shell, capsys):
    cli.main(["completion", shell])
    script = capsys.readouterr().out
    for word in (*cli.COMMANDS, "pocket", "student.training.steps", "cuda"):
        assert word in script
