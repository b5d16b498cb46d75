"""Motet: run, serve, train and measure multi-stream language models."""

__version__ = "0.1.0"
