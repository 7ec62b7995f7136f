"""Redis: look-up keys, queues, schedule, dead letters, leases. Nothing else imports redis."""
