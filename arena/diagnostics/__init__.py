"""A tagger examined by itself: parity of two ports, cost, and a fingerprint of its scores. Nothing is imported here: what a
benchmark's own process imports counts as memory of the model."""
