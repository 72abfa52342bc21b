"""Occurrences of words and their states."""
