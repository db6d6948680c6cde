"""How good the planner's decisions are, in made-up companies whose truth is known."""
