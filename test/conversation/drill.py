"""The drill of conversations.txt with baton.py: a thread for each client, the channel read beside."""

import os
import pathlib
import socket
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "handlers" / "sdk"))
import baton  # noqa: E402

CAPACITY = 4
ANSWERS = {b"nack retire": baton.RETIRE_ME, b"nack busy": baton.BUSY, b"nack refuse": baton.REFUSE}


class Drill:
    def __init__(self):
        self.next_answer = baton.TAKE
        self.held = {}  # number: connection, of those that are served
        self.lock = threading.Lock()
        kinds = [baton.KIND_CONNECTION, baton.KIND_DATAGRAM]
        self.baton = baton.open(
            CAPACITY, "drill.py", self.decide, self.cancelled, kinds, idle_s=60
        )

    def decide(self, _connection):
        answer, self.next_answer = self.next_answer, baton.TAKE
        return answer

    def cancelled(self, number):
        with self.lock:
            connection = self.held.pop(number, None)
            if connection is not None:
                connection.socket.shutdown(socket.SHUT_RDWR)  # its thread reads the end

    def obey(self, connection, line):
        """The status that the connection ends with, or None: it goes on."""
        words = line.split()
        if line in ANSWERS:
            self.next_answer = ANSWERS[line]
        elif line == b"retire":
            self.baton.retire()
        elif words[:1] == [b"run"]:
            command = ["sh", "-c", line[4:]]
            subprocess.run(command, stdout=connection.socket, close_fds=False, check=False)
        elif words[:1] == [b"exit"]:
            os._exit(int(words[1]))
        elif words[:1] == [b"fail"]:
            return int(words[1])
        connection.socket.sendall(line + b"\n")
        return None

    def serve(self, connection):
        status = None
        with connection.socket.makefile("rb") as lines:
            try:
                while status is None:
                    line = lines.readline()
                    if not line.endswith(b"\n"):
                        break
                    status = self.obey(connection, line[:-1])
            except OSError:
                pass  # the client is gone
        with self.lock:
            was_cancelled = connection.number != 0 and connection.number not in self.held
            self.held.pop(connection.number, None)
        self.baton.finish(connection, 1 if was_cancelled else status or 0)

    def run(self):
        for connection in iter(self.baton.next, None):
            if connection.kind == baton.KIND_DATAGRAM:
                data = connection.receive_datagram()
                if data is not None:
                    connection.answer(data)
                self.baton.finish(connection)
                continue
            with self.lock:
                self.held[connection.number] = connection
            threading.Thread(target=self.serve, args=(connection,)).start()


def main():
    try:
        Drill().run()
    except (baton.Error, OSError) as error:
        print(f"drill.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())  # when the threads have ended
