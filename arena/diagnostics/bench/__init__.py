"""Cost of a tagger: parameters, operations, load time, speed and memory, with the network and the input measured separately.

`requests` builds the requests. `own_process` starts a process for each model, so that the memory and threads of one model do
not affect another; `worker` measures in that process. `costs` holds the results, `table` and `document` format them. This
module imports nothing, because the imports of the worker would count as memory of the model.
"""
