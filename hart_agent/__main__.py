"""`python -m hart_agent` is the command `hart-agent`."""

from hart_agent.cli import main

main()
