"""Tests of the measurement of training."""
