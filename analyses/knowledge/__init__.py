"""Facts that a model can fill in (LAMA, Petroni et al. 2019)."""
