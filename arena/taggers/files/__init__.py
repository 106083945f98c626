"""Files of taggers: fetched, and read: weights, tag lists, thresholds, preprocessing."""
