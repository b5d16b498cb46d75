"""Evaluation: what a model's numbers say about it."""
