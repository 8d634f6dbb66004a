"""Jobs: rooms, trainer and engine joined into runs that can stop and go on."""
