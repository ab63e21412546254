"""The registers served over Modbus TCP, TLS and RTU over TCP."""
