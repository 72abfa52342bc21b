"""Minimal pairs such as BLiMP (Warstadt et al. 2020)."""
