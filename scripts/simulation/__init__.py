"""Taggers whose true figures are known."""
