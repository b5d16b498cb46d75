"""Tests of the objective and of the batches it learns from."""
