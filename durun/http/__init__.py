"""The process that sends the requests of `http`: with it, httpx stays out of every other process of durun."""
