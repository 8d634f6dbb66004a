"""In and out: reading and writing happens here and nowhere below."""
