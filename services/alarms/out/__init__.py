"""Out: to people and programs that look at no screen, by e-mail and webhook.

Each of them reads the outbox at its own place, so that one who is away holds up nobody, and is told afterwards what he missed.
"""
