"""The verbs, a module or package each, and what several of them share.

`stages` scores, evaluates and writes; `entrants` resolves what a user names, `truth` the images and labels, `thresholds` the
thresholds of each model; `same_images` checks that models can be compared, `paired` evaluates them together, `recipe` reads how
a run was made, and `display_options` says what pages show of images.
"""
