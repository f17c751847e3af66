"""The screen "Together": who labelled, how far they agree, and where they do not."""
