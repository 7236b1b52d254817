"""What a chapter asks its reader to predict, as data: what can be said, and what proves the answer.

`kinds` has a choice, a number and an order; `data` says how a chapter's file is written, and
reads it. `judging` reads and judges what was said, `proof` compares the data with what the chapter
prints, `cells` has what stands in a notebook.
"""
