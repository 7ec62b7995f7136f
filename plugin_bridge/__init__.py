"""Carries deliveries to the tenants' containers. Decides no route and keeps no state."""
