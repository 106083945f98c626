"""Which pictures are copies of which, and what becomes of them."""
