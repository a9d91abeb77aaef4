"""The watcher is watched: its clock, its own faults, its canary, its heartbeat."""
