"""`python -P -m gateway` is the command `channel-gateway`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
