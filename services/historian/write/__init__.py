"""Write: deliveries into the database."""
