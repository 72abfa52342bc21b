"""What a masked language model predicts when it sees along trees (Syntax-BERT, Bai et al. 2021)."""
