"""The order in which a masked language model reads and writes (u-PMLM, Liao et al. 2020)."""
