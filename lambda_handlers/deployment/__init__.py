"""Deployment: from a checkpoint to a custom model, to a deployment that answers, to the pointer that shows it."""
