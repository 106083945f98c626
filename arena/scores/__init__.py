"""Stored scores: matrices on disk, stores, `.npz` files, and scores raised by implications."""
