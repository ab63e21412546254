"""The installation's file read again while the gateway serves: what may be asked of it, how it goes, and who asks."""
