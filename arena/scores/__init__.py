"""From images to stored scores: the sharded store and the predictor that fills it."""
