"""Records: chats, and prompts with answers, of which only the answers are learned.

A file or a data set becomes records (`reading`, `columns`), of which the unusable ones are counted
and left out (`faults`); each record belongs to one split (`splits`). The tokenizer's chat template
turns a record into text, and says where its answers are (`template`); a row of tokens holds one
record (`rows`).
"""
