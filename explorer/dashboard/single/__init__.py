"""The views of the dashboard singly, for a notebook's cells; those of a collection are linked."""
