"""Is the formula right? Divergences, objectives and the losses made of them; torch alone."""
