"""`python -m paribus.cli`."""

from paribus.cli import main

main()
