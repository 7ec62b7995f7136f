"""Slack's consent flow, the tokens that come of it, and the manifest of the app. Nothing here is on
the road of a message; slack-bolt is imported by `flow` alone.
"""
