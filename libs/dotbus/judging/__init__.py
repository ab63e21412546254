"""What is known of each topic and source, and how far it may be believed, whatever service shows the values. Pure."""
