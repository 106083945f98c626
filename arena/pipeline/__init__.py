"""The verbs, one module or package each, and the modules that several verbs share.

`stages` scores images, evaluates scores and writes run folders. `entrants` resolves the names that a user types, in the grammar
of `grammar`. `truth` reads images and labels, `thresholds` finds the thresholds of each model, and `inputs` finds the inputs of
a finished run. `same_images` checks that models are comparable, and `paired` evaluates them together. `recipe` records how a
run was made. `display_options` decides which images pages show.
"""
