"""Data of the comparison page: columns packed for the browser, pictures, evidence, small multiples."""
