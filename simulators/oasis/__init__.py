"""The simulated OASIS: prices, the reports and files they are published in, recorded replies, and OASIS over HTTP."""
