"""Slack: Socket Mode in, Web API out. Knows nothing of tenants, stores or agents."""
