"""Carries agents' answers to the platforms. An agent speaks only where its tenant lives (law 8)."""
