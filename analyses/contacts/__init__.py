"""Contacts of residues out of the impacts of protein and nucleotide language models."""
