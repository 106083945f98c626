"""Exact Hamming search among millions of hashes."""
