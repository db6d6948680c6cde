"""What the tasks do: one module per DAG, one function per task, named as the task."""
