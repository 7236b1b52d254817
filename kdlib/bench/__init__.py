"""Benchmarks as ratios within one run: absolute times depend more on the machine than the code."""
