"""HTTP listeners: the agent API, and the operators' health and metrics."""
