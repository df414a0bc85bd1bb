"""Evaluation: the jobs that score a model, the results they leave, and the gate that decides on them."""
