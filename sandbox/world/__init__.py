"""What happens: who exists, what they do each day, what is remembered of it, and what the company would write down."""
