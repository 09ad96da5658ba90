"""What a writer sends, byte for byte: a relay between it and the backend."""

import socket
import threading


class Tap:
    def __init__(self, backend):
        self.backend, self.received = backend, b""
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                writer, _ = self.listener.accept()
                backend = socket.create_connection(("127.0.0.1", self.backend))
            except OSError:
                return
            for source, target, keep in [(writer, backend, True), (backend, writer, False)]:
                threading.Thread(target=self.relay, args=(source, target, keep), daemon=True).start()

    def relay(self, source, target, keep):
        """One direction, until it ends; the other may go on."""
        try:
            while data := source.recv(65536):
                if keep:
                    self.received += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # Either end is gone, so nothing more comes or goes.
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def take(self):
        """What came since the last time."""
        received, self.received = self.received, b""
        return received

    def close(self):
        # Closed alone it would go on to accept one connection more, perhaps somebody else's by then.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
