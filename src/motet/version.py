"""The version of Motet, for whatever may import nothing else."""

__version__ = "0.1.0"
