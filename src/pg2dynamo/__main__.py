"""`python -m pg2dynamo` is the command line."""

from pg2dynamo.cli.app import main

main()
