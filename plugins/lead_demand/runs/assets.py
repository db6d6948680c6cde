"""What one DAG announces and another waits for."""

from airflow.sdk import Asset

LATEST_DAY = Asset(name="lead_stats_latest_day")
