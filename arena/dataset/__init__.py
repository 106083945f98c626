"""From a dataset card to frozen held-out images: types, perceptual hashes, duplicate search."""
