"""The commands, most of them run inside the process that tests."""
