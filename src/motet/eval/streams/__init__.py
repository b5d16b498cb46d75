"""Whether streams do what they are for: start, stop, doubt, and be interrupted."""
