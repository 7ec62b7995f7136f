"""Decides where an event goes. Knows no platform but as data, no store but as a function."""
