"""The report of a run: one page of HTML that needs no network, no script and no durun to be read."""
