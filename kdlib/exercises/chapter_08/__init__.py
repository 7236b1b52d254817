"""Exercises of chapter 8: at scale."""

# Memory
from kdlib.exercises.chapter_08.bug_bytes_on_paper import bug_bytes_on_paper
from kdlib.exercises.chapter_08.bug_chunked_kl import bug_chunked_kl

# Targets that keep a part of the teacher
from kdlib.exercises.chapter_08.bug_top_k_and_rest import bug_top_k_and_rest
from kdlib.exercises.chapter_08.bug_sampled_target import bug_sampled_target

# The cache
from kdlib.exercises.chapter_08.bug_rows_of_batch import bug_rows_of_batch
from kdlib.exercises.chapter_08.bug_cache_pays import bug_cache_pays

# Many machines
from kdlib.exercises.chapter_08.bug_divisor_of_every_process import bug_divisor_of_every_process
