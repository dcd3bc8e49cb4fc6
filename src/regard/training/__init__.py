"""Training: loss, schedule, loop, checkpoints that resume to the same numbers."""
