# The environment variable that names the file in which tasks write what they used.
USAGE_FILE = "LEAD_DEMAND_USAGE_FILE"
