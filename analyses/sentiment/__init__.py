"""Aspect sentiment with induced trees, Table 5 of Wu et al. (ACL 2020)."""
