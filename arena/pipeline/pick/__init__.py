"""`arena pick`: compare models on pictures without labels."""
