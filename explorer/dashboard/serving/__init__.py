"""The dashboard served: pages, who may enter, and what the others do meanwhile."""
