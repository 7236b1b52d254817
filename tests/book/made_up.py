# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 0. A made-up chapter
#
# **Time**: about 10 min.
#
# It passes every gate, and the tests spoil it in many ways. Its number is
# about 0.29.
#
# ## Summary
#
# - Both cells are equal.

# %%
import os

print(f"{0.574 / 2:.3f}")

# %%
print("progress", os.environ["KDLIB_PROGRESS_DIR"])

# %%
from kdlib.plots import frames, points

points({"a": ([1], [2])}, xlabel="x", ylabel="y", alt="One point.")

# %%
picture = points({"a": ([1], [2])}, xlabel="x", ylabel="y", alt="One.")
frames({"small": picture, "large": picture}, name="size")

# %% [markdown]
# **Predict** which of the next two cells says more.

# %%
print("equal")

# %%
print("equal")
