"""Scores at rest: matrices on disk, stores, `.npz` files, and scores raised by implications."""
