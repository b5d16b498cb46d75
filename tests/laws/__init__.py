"""The laws of a multi-stream model, as checks that any runtime must pass, and their mutants."""
