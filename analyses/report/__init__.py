"""One HTML file to send to a colleague."""
