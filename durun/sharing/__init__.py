"""What the owner of the runs shares with other users of the machine: what is asked, and what they answered."""
