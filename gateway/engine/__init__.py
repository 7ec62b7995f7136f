"""The delivery engine: one machine for both directions. Knows neither containers nor platforms."""
