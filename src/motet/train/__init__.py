"""Training: objective and batches, the Trainer around them, and all that a run writes."""
