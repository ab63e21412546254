"""The bus: paho-mqtt behind what dotbus promises, and what goes over it."""
