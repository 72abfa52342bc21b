"""Dependency trees, Tables 1 and 2 of Wu et al. (ACL 2020)."""
