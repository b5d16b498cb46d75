"""The native runtime: GGUF weights, ggml graphs and own kernels; no PyTorch in the process."""
