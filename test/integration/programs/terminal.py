"""A handler for standard streams that looks for the supervisor's terminal, as another user, and
tells its client what it found, as a line of JSON. What it can open it types into."""

import errno
import fcntl
import json
import os
import sys
import termios

streams = [os.isatty(number) for number in range(3)]
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
found = "opened"
try:
    terminal = os.open("/dev/tty", os.O_RDWR)
    for byte in b"typed\n":
        fcntl.ioctl(terminal, termios.TIOCSTI, bytes([byte]))
    found = "typed"
except OSError as fault:
    found = found if fault.errno == errno.EIO else errno.errorcode[fault.errno]
sys.stdout.write(json.dumps({"terminal": found, "streams": streams}) + "\n")
sys.stdout.flush()
