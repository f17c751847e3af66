"""The screen to look, listen and label: classes, the map, and what it sounds like."""
