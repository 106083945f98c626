"""From scores to numbers: counts, rankings, thresholds. numpy and scipy only."""
