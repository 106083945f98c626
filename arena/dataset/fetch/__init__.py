"""Download posts and their images from Danbooru: at a low rate, with checked digests, and resumable."""
