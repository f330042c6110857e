"""What the notebooks are given: nothing here needs to be opened to do the course."""
