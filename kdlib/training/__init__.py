"""What happens in a step, and what does a run leave in its folder?"""
