"""The lowest layer, which every other package may import: errors, files, formatting, progress, provenance, version."""
