"""The office's addresses, a file for each kind; app.py names those that are served."""
