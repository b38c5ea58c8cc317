"""The keys of --guard: all that keeps clients out and handlers small, set so that nobody who is
measured is refused anything."""

import os
import subprocess

from rounds import Broken

# For every service.
KEYS = (
    "allow = 127.0.0.0/8, 192.0.2.0/24, 2001:db8::/32",
    "deny = 192.0.2.7, 198.51.100.0/24",
    "hours = 00:00-11:59, 12:00-23:59",
    "max_connections = 500",
    "max_per_source = 400",
    "rate = 100000/s burst 100000",
    "rate_per_source = 90000/s burst 90000",
    "when_full = refuse",
    "refuse_message = 421 {service}: not now\\r\\n",
    "max_runtime_ms = 60000",
    "first_byte_timeout_ms = 60000",
    "environment_from = LANG, LC_ALL",
    "umask = 027",
    "oom_score_adj = 0",
    "limit_memory = 1G",
    "limit_cpu_s = 60",
    "limit_files = 256",
    "limit_processes = 4000",
    "limit_core = 0",
    "no_new_privileges = yes",
)
# What only root may do.
ROOT_KEYS = ("user = nobody", "nice = 0")
# For batond itself.
OWN_KEYS = (
    "max_connections = 1000",
    "max_per_source = 800",
    "rate = 200000/s burst 200000",
    "rate_per_source = 180000/s burst 180000",
)


def _complaint(folder, text):
    """What batond of `folder` has against a config; None if it takes it."""
    config = folder / "guard.ini"
    config.write_text(text, encoding="utf-8")
    command = [folder / "bin" / "batond", "-c", config, "--handlers", folder / "handlers",
               "--check"]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            check=False)
    config.unlink()
    return None if result.returncode == 0 else result.stderr.strip()


def account(folder):
    """The lines for [defaults] that a batond which names accounts demands of root."""
    text = "[defaults]\nuser = root\n[x]\nlisten = 127.0.0.1:0\nhandler = ok\n"
    return "user = root\n" if os.geteuid() == 0 and _complaint(folder, text) is None else ""


def settings(folder, defaults=""):
    """What a Supervisor in `folder` has of its own with all of it, and `defaults`."""
    keys = KEYS
    if os.geteuid() == 0:
        keys += ROOT_KEYS
        # Others must get at their handler.
        for each in (folder.parent, folder):
            each.chmod(0o755)
    defaults += "".join(f"{key}\n" for key in keys)
    own = "".join(f"{key}\n" for key in OWN_KEYS)
    complaint = _complaint(folder, f"[supervisor]\n{own}\n[defaults]\n{defaults}\n"
                                   "[x]\nlisten = 127.0.0.1:0\nhandler = ok\n")
    if complaint is not None:
        raise Broken(f"batond does not take the keys of --guard: {complaint}")
    return {"defaults": defaults, "own": own}
