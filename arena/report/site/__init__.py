"""A site of published runs: static pages for any host, from the published runs alone."""
