"""Exact search by Hamming distance among millions of hashes."""
