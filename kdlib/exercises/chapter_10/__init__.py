"""Exercises of chapter 10, the bug museum: each shows code with bugs and asks for sound code."""
