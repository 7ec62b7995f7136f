"""Programs of the peers. They run outside of this project's environment and import nothing of it
but the standard-library modules of loadtests.
"""
