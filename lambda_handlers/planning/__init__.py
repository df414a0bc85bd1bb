"""Planning: from the raw input of an execution to a run that is checked, pinned, and holds the lock."""
