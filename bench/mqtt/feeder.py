"""A broker that only sends: one client's subscription is answered with messages made before. Usage: feeder.py COUNT BYTES.

It prints its port. What the client acknowledges is read and forgotten, so that nothing but the client limits the rate.
"""

import socket
import sys
import threading

from dotbus.runtime.mqtt.packets import encode_publish

PIECE = 1000


def read_all(client: socket.socket) -> None:
    """Take what comes."""
    while client.recv(1 << 20):
        pass


def main() -> None:
    """Serve one client."""
    count, size = int(sys.argv[1]), int(sys.argv[2])
    encoded = encode_publish("bench/plant/PLANT/RESOURCE/dispatch", bytes(size), b"\0", retain=False)
    packets = b"".join(
        encoded.head + number.to_bytes(2, "big") + encoded.properties + encoded.payload for number in range(1, PIECE + 1)
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        client, _ = listener.accept()
    with client:
        client.recv(65536)
        client.sendall(b"\x20\x03\x00\x00\x00")
        subscribe = client.recv(65536)
        client.sendall(b"\x90\x04" + subscribe[2:4] + b"\x00\x01")
        reader = threading.Thread(target=read_all, args=(client,))
        reader.start()
        for _ in range(count // PIECE):
            client.sendall(packets)
        reader.join()


main()
