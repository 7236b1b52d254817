"""Exercises of chapter 13, the bug museum: each shows code with bugs and asks for sound code."""
