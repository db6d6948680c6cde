"""What the morning page costs."""
