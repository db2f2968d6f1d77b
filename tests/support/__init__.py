"""What tests share. README.md beside this says which to take."""
