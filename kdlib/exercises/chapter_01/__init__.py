"""Exercises of chapter 1: teacher and student (Q01-Q05)."""
