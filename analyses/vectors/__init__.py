"""Static word vectors out of contextual ones (Ethayarajh 2019, section 5)."""
