"""The load test behind `make bench`: it measures and prints, and tests nothing but the ledger."""
