"""The nouns: numpy and the standard library, nothing heavier."""
