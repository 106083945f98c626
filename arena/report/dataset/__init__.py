"""A dataset's card, as a page and as text."""
