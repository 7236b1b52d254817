"""Exercises of chapter 5: the lambda trade-off (Q24-Q26)."""
