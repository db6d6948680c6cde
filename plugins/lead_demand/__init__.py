"""Lead demand orchestration: pull channel metrics, measure the lead gap, and move Google Ads budgets toward it.

Where to look: `channels/` (one module a source), `planner.py` (the decision), `budgets.py` (the write-ahead protocol
that moves money), `planning.py` (what the planner is given and what is kept of its answer), `day.py` (which day a run
is about).
"""
