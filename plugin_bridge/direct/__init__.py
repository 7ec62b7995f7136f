"""Direct mode: turns through OpenClaw's own HTTP surface, for containers without our plugin."""
