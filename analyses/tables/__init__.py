"""Tables, signatures and results."""
