"""`python -m tests.docs reference` renews docs/reference/; `python -m tests.docs build` builds the site."""

import sys

from tests.docs import reference, site

if __name__ == "__main__":
    commands = {"reference": reference.main, "build": site.main}
    sys.exit(commands[sys.argv[1]]())
