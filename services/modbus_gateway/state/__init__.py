"""What turns when, and which source is another way than it was; what it comes to is `dotbus.judging`'s."""
