"""States: pure. Delays, the state machine of ISA-18.2, one alarm and all of them, and what operators are shown in all."""
