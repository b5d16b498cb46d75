"""Runtimes: tensors in, logits out, behind one small protocol."""

from motet.runtime.protocol import Runtime, State, Wanted

__all__ = ["Runtime", "State", "Wanted"]
