"""A handler that leaves a child behind and exits: the child waits until the file "go" is there, and writes
the file "finished". "away": in a session of its own. "bare": without an environment. The client is
told the child's pid."""

import os
import sys

ways = sys.argv[1:]
reading, writing = os.pipe()
os.set_inheritable(writing, True)
child = os.fork()
if child == 0:
    if "away" in ways:
        os.setsid()
    environment = {} if "bare" in ways else os.environ
    if "pipes" not in ways:
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
    script = """
import os, sys, time
os.close(int(sys.argv[1]))
end_s = time.monotonic() + 60  # a test that failed must not leave it for ever
while not os.path.exists("go") and time.monotonic() < end_s:
    time.sleep(0.01)
print("the child goes on", flush=True)
open("finished", "w").close()
"""
    os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", script, str(writing)],
              environment)
os.close(writing)  # at its end the child runs, with the environment that it is to have
os.read(reading, 1)
os.write(1, b"%d\n" % child)
