"""CAISO's web services as a client library: for anyone, without a bus, a setting or a message of dotbus."""
