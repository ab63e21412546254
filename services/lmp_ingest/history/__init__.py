"""Prices of the past: what somebody asks for, and had while nothing else is to be asked of CAISO."""
