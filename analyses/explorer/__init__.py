"""A sentence in a browser."""
