"""What is said on the bus: topics, messages, quality and their codec.

Pure: no I/O, no clock, no configuration. Anything that wants to speak with dotbus needs only this package
(or the JSON Schemas that are generated from it).
"""
