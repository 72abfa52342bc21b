"""What of a model is needed for its trees: layers, and maps of the layers of two models."""
