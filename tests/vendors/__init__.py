"""Five vendors, by their own clients: loopback servers that speak their wire formats, and runs against them."""
