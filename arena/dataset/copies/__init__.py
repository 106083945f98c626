"""Find duplicate images, and drop, merge or mark them."""
