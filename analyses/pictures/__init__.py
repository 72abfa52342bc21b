"""Drawings of trees, matrices and curves, as SVG, text or matplotlib figures."""
