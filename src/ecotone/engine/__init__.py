"""Runs tasks. One face, ``map(task, inputs, run)``; `pool` runs them in local processes."""
