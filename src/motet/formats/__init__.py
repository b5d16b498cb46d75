"""Model files: GGUF read, checked and written; model directories; conversion between the two."""
