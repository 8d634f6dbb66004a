"""The command line: one short file per verb. Parse, call Python, print."""
