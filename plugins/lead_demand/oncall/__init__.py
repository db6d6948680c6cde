"""What a failure means to whoever is on call: diagnosis, retries, alerts, and how a message is sent."""
