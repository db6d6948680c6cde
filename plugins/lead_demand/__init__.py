"""Lead demand orchestration: pull channel metrics, measure the lead gap, and move paid budgets toward it.

Rooms, from the top down; a room imports only rooms below it (`make lint` checks it):

- `tasks/`: what each DAG's tasks do, one module per DAG;
- `ui/`: the morning page in Airflow's UI; it only reads;
- `backtest/`: past mornings with other settings;
- `budgets/`: today's decisions, and the write-ahead protocol that applies them;
- `channels/`: one module or package per source;
- `planner/`: the decision, pure;
- `oncall/`: what an error means, retries, alerts;
- `messages.py`: what people are sent and asked, from templates;
- `runs/`: which day a run is about, and how its work is done in chunks;
- `database/`: connections, SQL files, settings, findings;
- `errors.py`, `text.py`: every error of our own, and text from outside as one line.
"""
