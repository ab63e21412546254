"""The map for people and other programs: tables, tag imports, docs/registers.md, and live registers in words. Pure."""
