"""The command line: one file a noun. Holds no logic of its own."""
