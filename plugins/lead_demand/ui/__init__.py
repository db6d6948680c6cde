"""The morning page inside Airflow's own UI: what was decided, why, what came of it, and what waits for a person.

Who may look: `guard`. That it only reads: `database.connect_to_read`, and routes that are all GET (`app`). Its
language: `static/js/lib/language.js`, `static/words`.
"""
