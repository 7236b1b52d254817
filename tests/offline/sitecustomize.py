"""Put on PYTHONPATH, this makes any attempt to leave the machine fail at once, in subprocesses too."""

import socket

_connect = socket.socket.connect


def _local_only(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise ConnectionRefusedError(f"no network in tests, but something asked for {address}")
    return _connect(self, address)


socket.socket.connect = _local_only
