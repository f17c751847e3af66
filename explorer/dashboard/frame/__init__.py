"""What all screens stand in: pieces, work off the event loop, colours, the line at the top."""
