"""The whole road on one machine: sandbox platforms, sandbox agents and the real gateway process."""
