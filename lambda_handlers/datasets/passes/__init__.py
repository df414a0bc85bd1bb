"""What happens to all rows of a dataset together: pass one over each shard, the decisions, and putting together."""
