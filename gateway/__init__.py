"""Channel Gateway: carries platform messages to the right tenant's agent and the answers back."""
