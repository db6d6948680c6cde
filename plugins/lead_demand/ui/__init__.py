"""The morning page inside Airflow's own UI: what was decided, why, what came of it, and what waits for a person."""
