"""Exercises of chapter 3: cross-entropy over whole sequences (Q13-Q17; Q04 and Q08 again)."""
