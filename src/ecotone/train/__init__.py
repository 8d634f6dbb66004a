"""Small reference trainers: a tiny decoder for text (`lm`)."""
