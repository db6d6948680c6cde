"""The three Google APIs over the world, and how their clients reach them."""
