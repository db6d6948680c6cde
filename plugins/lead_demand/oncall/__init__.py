"""What a failure means for on call: diagnosis, retries, alerts, and how a message is sent."""
