"""Exercises of chapter 4: KL divergence, both ways, its relatives and its numerics (Q18-Q23)."""
