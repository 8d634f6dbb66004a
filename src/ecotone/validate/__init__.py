"""Did it help: evidence from runs, and the verdict against doing nothing."""
