"""Training of the embedded model: configuration, batches, loss, optimizers, the loop, export."""
