"""Held-out datasets: read, freeze, verify, describe, and remove duplicates and training images."""
