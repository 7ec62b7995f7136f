"""The vocabulary of the gateway: types and pure rules. No I/O, no service, no third party."""
