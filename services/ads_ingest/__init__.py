"""CAISO ADS to topics: dispatch instructions and trajectories, as CAISO sends them and as what holds now."""
