"""Measurements. `make bench` runs them; `python -m tests.bench --help` tells more.

Networks and peers compute in one thread. Libraries of linear algebra read these variables when
they are first imported, so they are set before anything else of this package.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
