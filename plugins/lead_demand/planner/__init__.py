"""The decision, pure: no I/O and no clock. `planner.LeadDemandPlanner` is where to start."""
