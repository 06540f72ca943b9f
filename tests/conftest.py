"""For all tests: the time of day is that of Greenwich, wherever they run."""

import os
import time

os.environ["TZ"] = "UTC"
time.tzset()
