"""No choice can be answered with a ruler, by leafing back, or with a figure's letter for its own."""

import pytest
from choice_faults import (
    faults,
    labels,
    length_faults,
    letter_faults,
    source_of,
    texts,
    word_faults,
)

from kdlib.exercises import chapters
from kdlib.exercises.kinds.choices import choice, right, wrong

CHOICES = [(n, e) for n, found in chapters().items() for e in found if e.kind == "choice"]


@pytest.mark.parametrize(("chapter", "e"), CHOICES, ids=lambda value: getattr(value, "id", value))
def test_a_choice_is_not_given_away(chapter, e):
    found = faults(e, source_of(chapter))
    assert found == [], "\n".join([f"chapter {chapter}, {e.id}:", *found])


def test_the_right_option_is_not_the_longest_most_of_the_time():
    """Each may be longer by a tenth; all of them together would be a tell."""
    options = [texts(e) for _, e in CHOICES]
    longest = [len(right) > max(map(len, others)) for right, others in options]
    assert sum(longest) <= len(CHOICES) / 2


# ---------------------------------------------------------------- that the gates see faults

SOURCE = """# %% [markdown]
# # 3. A chapter

# %% [markdown]
# ## 3.1 Before
# Students A and B differ.

# %% [markdown]
# ## 3.2 Drawing
# **A drawn output costs nothing more than a best
# one.** It forgets nothing.

# %%
exercise("made-up")

# %% [markdown]
# The sampled output is the honest one, on average.
"""


def made(*texts, prompt="Which?"):
    """A choice whose last option is right."""
    options = [wrong(t, "sign-flipped", seen=f"{t}!", expected="e") for t in texts[:-1]]
    about = {"source": ("Q01",), "difficulty": 1, "minutes": 1, "hints": ("a", "b")}
    return choice("made-up", prompt=prompt, options=(*options, right(texts[-1], "c")), **about)


def test_a_long_right_option_is_seen():
    assert length_faults(made("x" * 60, "x" * 50, "y" * 67))
    assert not length_faults(made("x" * 60, "x" * 50, "y" * 66))
    assert not length_faults(made("x" * 60, "x" * 50, "y" * 10))


def test_the_words_of_the_text_above_are_seen_and_those_below_are_not():
    assert word_faults(
        made("It is dear.", "None.", "It costs nothing more than a best one"), SOURCE
    )
    assert not word_faults(made("a", "b", "the sampled output is the honest one"), SOURCE)
    both = made("Costs nothing more than a best one", "b", "It costs nothing more than that one.")
    assert not word_faults(both, SOURCE)  # who looks for the words is led astray


LETTERED = SOURCE.replace("## 3.2", "## 3.2 Students A and B, (C)\n# ## 3.3")


@pytest.mark.parametrize("place", ["text", "code", "prompt"])
def test_letters_of_a_figure_are_seen(place):
    plain = made("first", "second", "third")
    assert not letter_faults(plain, SOURCE)  # those of another section do not matter
    source, e = SOURCE, plain
    if place == "text":
        source = SOURCE.replace("It forgets", "Students A, *B* and (C) forget")
    elif place == "code":
        source = SOURCE.replace("# %%\nexercise", '# %%\nshow({"A": 1, "B": 2})\n\n# %%\nexercise')
    else:
        e = made("first", "second", "third", prompt="Look at teacher A and at teacher B.")
    assert letter_faults(e, source)
    assert not letter_faults(made("target A", "target B", "target C"), source)
    assert letter_faults(made("target B", "target A", "target C"), source)


def test_a_letter_is_a_label_only_where_it_stands_for_something():
    assert labels('A student, "A", in *B*, Figure C; (D) and E') == {"A", "B", "C", "D"}
    assert labels("A student differs; Teachers B and their H") == {"B"}
    assert labels("C: (0.6, 0.4)") == {"C"} and labels("A longer one, with F: it") == set()
