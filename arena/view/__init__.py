"""`arena view`: a local web application that shows the images of a run and collects answers to questions about them."""
