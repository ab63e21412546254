"""What a page shows at one time, as parts that are compared and sent one by one. Pure."""
