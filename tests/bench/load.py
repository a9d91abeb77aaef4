"""A publisher that is cheaper than what it measures: prebuilt QoS 1 packets over one socket.

Run as a process of its own: ``python tests/bench/load.py PORT STATIONS FRAMES RATE``; RATE 0 means
as fast as the broker acknowledges. Station ids are ``load-0001`` and so on. It prints one JSON
line with what was sent and acknowledged.
"""

import json
import socket
import struct
import sys
import threading
import time

WINDOW = 2_000
SOCKETS = 12
TAIL = (
    b',"ambient_c":24.5,"enclosure_c":27.1,"voltage_v":228.4,"leakage_ma":2.0,"smoke":0,'
    b'"water":0,"door":0,"relay":[1,1,1,1,1,1,0,0,0,0,0,0],'
    b'"current_a":[0.91,0.92,0.9,1.41,0.88,0.93,0,0,0,0,0,0],'
    b'"power_w":[118.2,120.4,117.9,184.0,115.3,121.7,0.4,0.3,0.4,0.5,0.4,0.3],'
    b'"temp_c":[31.2,30.8,31.0,33.4,30.6,31.1,26.0,26.1,25.9,26.2,26.0,25.8],'
    b'"energy_wh":[101.5,88.2,140.0,210.3,55.1,97.7,0,0,0,0,0,0]}'
)


def length(n: int) -> bytes:
    """MQTT's variable-length integer."""
    out = bytearray()
    while True:
        n, digit = n // 128, n % 128
        out.append(digit | 0x80 if n else digit)
        if not n:
            return bytes(out)


def connect(port: int) -> socket.socket:
    """An MQTT 3.1.1 connection with a clean session."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = f"load-{time.monotonic_ns()}".encode()
    head = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(name)) + name
    sock.sendall(b"\x10" + length(len(head)) + head)
    sock.recv(4)
    return sock


def packet(topic: bytes, number: int, body: bytes) -> bytes:
    """One PUBLISH of QoS 1."""
    rest = struct.pack(">H", len(topic)) + topic + struct.pack(">H", number) + body
    return b"\x32" + length(len(rest)) + rest


class Acks:
    """Counts PUBACKs on a thread of its own."""

    def __init__(self, sock: socket.socket, expected: int) -> None:
        """Ends by itself when ``expected`` have come."""
        self.count = 0
        self._sock, self._expected = sock, expected
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        received = 0
        while received < 4 * self._expected:
            data = self._sock.recv(65_536)
            if not data:
                return
            received += len(data)
            self.count = received // 4


def run(port: int, stations: int, frames: int, rate: float) -> dict[str, float]:
    """Send ``frames`` in all, evenly over the stations, ``rate`` per second (0 = flat out)."""
    sock = connect(port)
    acks = Acks(sock, frames)
    topics = [f"chargeward/v1/load-{i + 1:04d}/telemetry".encode() for i in range(stations)]
    boot = f"{time.monotonic_ns() & 0xFFFFFFFF:08x}".encode()
    started = time.monotonic()
    sent = 0
    while sent < frames:
        due = frames if not rate else int((time.monotonic() - started) * rate) + 1
        room = WINDOW - (sent - acks.count)
        count = min(due - sent, room, frames - sent, 200)
        if count <= 0:
            time.sleep(0.0005)
            continue
        now = int(time.time() * 1000)  # noqa: TID251 - the load is a station: it has a clock
        chunk = []
        for number in range(sent, sent + count):
            head = b'{"boot":"%b","seq":%d,"ts":%d' % (boot, number // stations, now)
            chunk.append(packet(topics[number % stations], number % 65_535 + 1, head + TAIL))
        sock.sendall(b"".join(chunk))
        sent += count
    acks.thread.join(timeout=60)
    seconds = time.monotonic() - started
    return {"sent": sent, "acknowledged": acks.count, "seconds": seconds}


if __name__ == "__main__":
    port, stations, frames, rate = sys.argv[1:5]
    print(json.dumps(run(int(port), int(stations), int(frames), float(rate))))  # noqa: T201
