"""Knowledge distillation of language models: exact, small, executed."""

__version__ = "0.1.0"
