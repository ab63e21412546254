"""A CAISO to run against: ADS (SOAP, mutual TLS) and OASIS (zips), with faults on demand.

It speaks CAISO's protocols and nothing of dotbus: a client cannot tell from its replies that nobody dispatches a plant.
"""
