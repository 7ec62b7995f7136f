"""Installations of the app: stored, renewed before they expire, ended when a workspace says so."""
