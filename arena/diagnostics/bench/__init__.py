"""What a tagger costs: parameters, operations, load time, speed, memory; its network and its input apart.

`requests` says what is to be measured; `own_process` starts a process for each model, so that neither the memory nor the
threads of one weigh on another, and `worker` measures in it. `costs` is what is found, `table` and `document` show it. Nothing
is imported here, for all that the worker imports would count as memory of the model.
"""
