"""The comparison page's own data: columns packed for the browser, pictures, evidence, small multiples."""
