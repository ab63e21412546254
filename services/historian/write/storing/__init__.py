"""Records into the tables: columns, months, what is there already and what contradicts it."""
