"""Figures over releases: headline figures and those of tags, as text, as tables, and drawn."""
