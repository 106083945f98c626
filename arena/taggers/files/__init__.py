"""Files of taggers: downloading them, and reading weights, tag lists, thresholds and preprocessing."""
