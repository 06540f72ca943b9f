"""What people and programs see. Views know the model only."""
