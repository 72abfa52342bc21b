"""Every table and figure with one command."""
