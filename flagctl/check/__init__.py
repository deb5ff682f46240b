"""What is wrong in a flag repository, and whether its flags do what their tests expect."""
