"""Rules: what is alarmed, by what is known of resources, services and this machine. Pure."""
