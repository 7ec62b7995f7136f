"""What operators see: metrics and structured logs. Never message text, never a secret."""
