"""Fetching posts and their images from Danbooru: politely, checked, and continued where it stopped."""
