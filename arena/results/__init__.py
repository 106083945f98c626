"""Stored results: run folders, published files, baselines, and differences between two results."""
