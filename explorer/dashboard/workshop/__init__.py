"""The classroom: an exercise that a whole room answers, without accounts and without internet."""
