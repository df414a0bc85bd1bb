"""Batch inference: a model answers every row of a dataset, and every answer comes back in one form."""
