"""Corpora onto channels: stream tables, chats with reasoning, GSM8K, all to datasets of tables."""
