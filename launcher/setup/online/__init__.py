"""`dotbus check --online`: whether those whom an installation talks to answer, and take who we are.

Each is asked as the service would, by its own variables, and nothing that runs is touched: no name of a running client is used
at the broker, nothing is published there, nothing is written into the database.
"""
