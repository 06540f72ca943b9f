"""`durun doctor`: is durun well here? Small checks, which look at things and change nothing."""
