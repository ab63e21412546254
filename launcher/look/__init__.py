"""Looking at what runs: health, registers, and what CAISO's simulator sent against both."""
