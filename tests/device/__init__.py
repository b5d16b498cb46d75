"""The runtime on devices of ggml. MOTET_TEST_DEVICE names the device (default: CPU)."""
