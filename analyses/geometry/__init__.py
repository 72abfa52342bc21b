"""How contextual and isotropic states are (Ethayarajh 2019)."""
