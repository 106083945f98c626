"""What every other package may use: errors, files, formatting, progress, provenance, version."""
