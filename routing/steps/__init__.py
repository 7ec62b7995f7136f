"""The steps of the pipeline, in the order in which they run."""
