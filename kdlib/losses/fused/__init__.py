"""The same losses straight from hidden states, in memory that does not grow with the logits.

`kdlib.losses.fused.loss` is the way in.
"""
