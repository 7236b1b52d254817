"""What does a training step do, and what does a run leave in its folder?"""
