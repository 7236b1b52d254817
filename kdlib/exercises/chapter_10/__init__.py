"""Exercises of chapter 10: a weak teacher and a strong student (Q28)."""
