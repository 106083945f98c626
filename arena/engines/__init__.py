"""Where shards are scored: in this process, in one worker process per device, or in any number of processes that share a run.

The finished shards of a score store are the only checkpoint. Whoever scores a shard holds its lease.
"""
