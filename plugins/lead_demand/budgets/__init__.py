"""Today's decisions, and how money moves: planning, the write-ahead protocol, approvals, reverts."""
