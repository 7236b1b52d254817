"""Exercises of chapter 6: noisy labels (Q27)."""
