"""Held-out datasets: read, frozen, verified, described, cleared of copies and of training images."""
