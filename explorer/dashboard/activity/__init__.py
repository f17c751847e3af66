"""When and where a sound is heard: by day and hour, by season, by site."""
