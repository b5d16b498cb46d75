"""The messages on the wire and the row that every part shares."""
