"""What a run is about, and how its work is done: the day, its windows, progress, operators, checks, the timetable."""
