"""Perceptual hashes and digests of images, and the index that stores them."""
