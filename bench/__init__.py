"""Speed and memory, measured against the published way of doing it; never part of the tests."""
