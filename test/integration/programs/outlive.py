"""A handler with baton.py that answers each line, and writes it to its log in every usual way.

    outlive.py SDK-FOLDER MARK-FILE

Writes how it ended to the file, for a test that is not its parent.
"""

import atexit
import logging
import os
import pathlib
import sys

sys.path.insert(0, sys.argv[1])
import baton  # noqa: E402

logging.basicConfig(level=logging.INFO)


def answer(connection):
    for line in connection.socket.makefile("rb"):
        text = line.decode().rstrip()
        print("printed", text)
        print("complained", text, file=sys.stderr, flush=True)
        logging.info("logged %s", text)
        baton.log(f"told {text}")
        sys.stdout.write("left behind")
        connection.socket.sendall(b"answer to " + line)


# Behind it only the interpreter's own flush comes; who has a status of its own there has failed.
if os.fork() == 0:
    raise SystemExit(baton.serve(answer))
_, how = os.wait()
pathlib.Path(sys.argv[2]).write_text(str(os.waitstatus_to_exitcode(how)))
