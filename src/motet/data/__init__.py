"""Training data: generated for the embedded model (`tiny`)."""
