"""Past mornings with other settings, beside what was decided."""
