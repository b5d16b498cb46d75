"""Model directories, under the name that the parts above the runtimes know them by."""

from motet.formats.directory import EMBEDDED, Kind, ModelDirectory, read_directory, resolve

__all__ = ["EMBEDDED", "Kind", "ModelDirectory", "read_directory", "resolve"]
