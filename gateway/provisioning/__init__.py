"""What operators change: tenants, workspaces, keys. PostgreSQL first, then the look-up keys."""
