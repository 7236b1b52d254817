"""What papers say about distilling language models, tried small: a sentence, a rule, seeds, a verdict.

A claim is one file in ``papers/``, and its name is the file's. It makes a `Claim` called ``CLAIM``:
the sentence, where it comes from and what was measured there; arms, each a function that trains
once and returns numbers; the rule that decides, written before the run; the rival explanation and
its arm. ``grounds/`` has the worlds in which arms are trained. ``running.py`` tunes every arm with
the same budget, trains it with every seed and keeps each number as it comes, so that a run goes on
where it was stopped. ``records/`` holds what came out; the tests derive each verdict from it again,
and run a quick form of every arm, which moves if what the arms do has changed.
"""
