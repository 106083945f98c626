"""Images: decoding, thumbnails."""
