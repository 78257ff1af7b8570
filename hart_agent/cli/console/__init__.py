"""What people see: results on stdout, progress on stderr. Model text is never trusted to be harmless in a terminal."""
