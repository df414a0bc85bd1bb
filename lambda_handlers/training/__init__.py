"""Training: the recipe a run trains by, the job that does it, and the checkpoint it leaves."""
