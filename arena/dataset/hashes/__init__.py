"""Perceptual hashes and digests of images, and the index that keeps them."""
