"""Exercises of chapter 7: distilling a language model (Q05 again, as a whole plan)."""
