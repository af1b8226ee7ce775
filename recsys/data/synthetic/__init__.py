"""A synthetic shop whose shoppers' preferences, and so the best possible score, are known."""

from recsys.data.synthetic.generate import generate

__all__ = ["generate"]
