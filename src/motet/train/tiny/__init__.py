"""The loop that made the first embedded model: its config, batches, loss, optimizers, export."""
