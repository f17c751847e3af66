"""What a screen is about, without a screen: nothing here knows a widget."""
