"""Constituency trees, Table 3 of Wu et al. (ACL 2020), and the bias of their decoders."""
