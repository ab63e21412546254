"""CAISO's web services as a client library: for anyone. It knows no bus, no settings and no messages but CAISO's."""
