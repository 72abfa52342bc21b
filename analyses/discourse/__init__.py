"""Discourse trees, Table 4 of Wu et al. (ACL 2020)."""
