"""What a row of training or evaluation data looks like: the rules of each form, and how rows are made to fit it."""
