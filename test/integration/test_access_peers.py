"""Who is let in, by the same rules here and in xinetd, tcpserver and openbsd-inetd with libwrap.

Clients from many addresses of 127.0.0.0/8 and from ::1 ask each server, and each verdict must be the
same; DIFFERENT has those that are not, with what the other's manual says, or its log.
"""

import concurrent.futures
import datetime
import getpass
import ipaddress
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import harness
import peers
from harness import SupervisorCase
from settings import DEADLINE_S, clean_environment

SOURCES = ("127.0.0.1", "127.0.0.2", "127.0.0.15", "127.0.0.16", "127.0.0.31", "127.0.0.32",
           "127.0.1.1", "127.0.2.1", "127.0.3.255", "127.0.4.0", "127.1.2.3", "127.128.0.1",
           "127.255.255.254", "::1")

# name: (allow, deny); None = the key is not given.
CASES = {
    "open": (None, None),
    "only_one": (["127.0.0.1"], None),
    "all_but_one": (None, ["127.0.0.2"]),
    "only_a_block": (["127.0.0.0/24"], None),
    "small_block": (["127.0.0.16/28"], None),
    "middle_block": (["127.0.0.0/22"], None),
    "not_a_small_block": (None, ["127.0.0.16/28"]),
    "one_within_denied": (["127.0.0.0/8"], ["127.0.0.2"]),
    "block_within_denied": (["127.0.0.0/8"], ["127.0.0.0/24"]),
    "one_let_in_again": (["127.0.0.0/8", "127.0.0.2"], ["127.0.0.0/24"]),
    "denied_with_one_let_in": (["127.0.0.2"], ["127.0.0.0/8"]),
    "four_deep": (["127.0.0.0/8", "127.0.0.0/24"], ["127.0.0.0/16", "127.0.0.16/28"]),
    "tie_of_one": (["127.0.0.1", "127.0.0.2"], ["127.0.0.2"]),
    "tie_of_blocks": (["127.0.0.0/24", "127.1.0.0/16"], ["127.0.0.0/24"]),
    "ends_of_a_block": (["127.0.0.15", "127.0.0.32"], ["127.0.0.16/28"]),
    "ipv6_only": (["::1"], None),
    "ipv6_denied": (None, ["::1"]),
    "both_families": (["::1", "127.0.0.0/16"], ["127.0.1.0/24"]),
    "ipv6_block": (["::/64"], None),
    "all_of_ipv4": (["0.0.0.0/0"], None),
    "all_of_ipv6": (["::/0"], None),
    "none_of_ipv4": (None, ["0.0.0.0/0"]),
    "strangers": (["192.0.2.0/24", "2001:db8::/32"], None),
}

BETTER_MATCH = (
    "xinetd.conf(5): of both lists `the one that is the better match` decides. Of blocks within "
    "blocks xinetd 2.3.15.3 takes another for the better one than the longest prefix, or says in "
    "its log that both `match equally`; it refuses then.")
MAPPED = ("To xinetd a client by IPv4 is ::ffff:a.b.c.d, which these blocks of IPv6 have; here it is "
          "IPv4, whatever the socket (conf/KEYS.md, \"Rules\").")
# (server, case, source): why it is otherwise there.
DIFFERENT = {
    ("xinetd", "one_let_in_again", "127.0.0.2"): BETTER_MATCH,
    ("xinetd", "denied_with_one_let_in", "127.0.0.2"): BETTER_MATCH,
    **{("xinetd", "four_deep", source): BETTER_MATCH
       for source in ("127.0.0.1", "127.0.0.2", "127.0.0.15", "127.0.0.32")},
    **{("xinetd", case, source): MAPPED for case in ("ipv6_block", "all_of_ipv6")
       for source in SOURCES if "." in source},
}


def block(text):
    return ipaddress.ip_network(text)


def expected(allow, deny, source):
    """What Baton's manual says: the most specific block decides, and of the same a deny."""
    address = ipaddress.ip_address(source)
    found = [(block(text).prefixlen, word == "deny")
             for word, texts in (("allow", allow), ("deny", deny)) for text in texts or ()
             if address in block(text)]
    return not max(found)[1] if found else allow is None


def ask(port, source):
    """True if the server answers a client from this address."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(DEADLINE_S)
        try:
            client.bind((source, 0))
            client.connect(("::1" if ":" in source else "127.0.0.1", port))
            return b"".join(iter(lambda: client.recv(4096), b"")) == b"in\n"
        except ConnectionResetError:
            return False


def tcp_rules(allow, deny):
    """As tcprules(1) has them: whole octets, and ranges of one; the first of equal ones holds. None
    for blocks of IPv6, and of all of IPv4, for which it has no rule."""
    lines = []
    for word, texts in (("deny", deny), ("allow", allow)):
        for text in texts or ():
            network = block(text)
            if network.prefixlen == 0 or (network.version == 6 and network.prefixlen < 128):
                return None
            if network.version == 6:
                lines.append(f"{network.network_address}:{word}")
                continue
            octets = str(network.network_address).split(".")
            whole, rest = divmod(network.prefixlen, 8)
            if rest:
                first = int(octets[whole])
                octets[whole] = f"{first}-{first + (1 << (8 - rest)) - 1}"
                whole += 1
            lines.append(".".join(octets[:whole]) + ("." if whole < 4 else "") + f":{word}")
    lines.append(":" + ("allow" if allow is None else "deny"))
    return "\n".join(lines) + "\n"


def wrap_rules(daemon, allow, deny):
    """As hosts_options(5) has them: the first line that fits decides."""
    rules = [(block(text), word) for word, texts in (("DENY", deny), ("ALLOW", allow))
             for text in texts or ()]
    lines = []
    for network, word in sorted(rules, key=lambda rule: -rule[0].prefixlen):
        address = str(network.network_address)
        # Of one address alone the mask is not taken.
        where = (f"[{address}]/{network.prefixlen}" if network.version == 6 else
                 address if network.prefixlen == 32 else f"{address}/{network.netmask}")
        lines.append(f"{daemon}: {where} : {word}")
    lines.append(f"{daemon}: ALL : {'ALLOW' if allow is None else 'DENY'}")
    return lines


class Access(SupervisorCase):
    maxDiff = None

    def setUp(self):
        # Its path is a word of their configs.
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="baton-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.ports = dict(zip(CASES, range(peers.free_ports(len(CASES)), 1 << 16)))
        # Its name is what libwrap goes by.
        self.programs = {}
        for case in CASES:
            path = self.place / "srv" / case
            path.parent.mkdir(exist_ok=True)
            path.write_text("#!/bin/sh\necho in\n")
            path.chmod(0o755)
            self.programs[case] = path

    def verdicts(self, cases):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            pairs = [(case, source) for case in cases for source in SOURCES]
            answers = pool.map(lambda pair: ask(self.ports[pair[0]], pair[1]), pairs)
            return dict(zip(pairs, answers))

    def compare(self, server, cases):
        """Says all that is otherwise than expected, or is no longer."""
        wrong = []
        for (case, source), heard in self.verdicts(cases).items():
            same = heard == expected(*CASES[case], source)
            if same == ((server, case, source) in DIFFERENT):
                wrong.append(f"{case} {source}: {'in' if heard else 'out'}")
        self.assertEqual(wrong, [], server)

    def test_baton(self):
        sections = {}
        for number, (case, (allow, deny)) in enumerate(CASES.items()):
            keys = {}
            for word, texts in (("allow", allow), ("deny", deny)):
                if texts is not None and number % 2 == 0:
                    (self.place / f"{case}.{word}").write_text("\n".join(texts))
                    keys[word] = f"@{case}.{word}"
                elif texts is not None:
                    keys[word] = ", ".join(texts)
            port = self.ports[case]
            sections[case] = {"listen": f"127.0.0.1:{port}, [::1]:{port}", "handoff": "stdio",
                              "handler": peers.quoted(self.programs[case]), **keys}
        supervisor = self.supervisor(sections, folder=self.place)
        self.compare("baton", CASES)
        heard = len(CASES) * len(SOURCES)
        records = supervisor.expect_records(heard)
        refused = [record for record in records if record["outcome"] == "refused_access"]
        self.assertEqual(len(refused), sum(not expected(*rules, source) for rules in CASES.values()
                                           for source in SOURCES))
        self.assertFalse(any("pid" in record for record in refused))
        self.stop(supervisor)

    def test_xinetd(self):
        text = "defaults\n{\n}\n"
        for case, (allow, deny) in CASES.items():
            text += (f"service {case}\n{{\n type = UNLISTED\n socket_type = stream\n"
                     f" protocol = tcp\n flags = IPv6\n port = {self.ports[case]}\n wait = no\n"
                     f" user = {getpass.getuser()}\n server = {self.programs[case]}\n")
            for word, texts in (("only_from", allow), ("no_access", deny)):
                text += f" {word} = {' '.join(texts)}\n" if texts is not None else ""
            text += "}\n"
        config = self.place / "xinetd.conf"
        config.write_text(text)
        peers.Server(self, peers.server("xinetd"), "-dontfork", "-f", config, "-filelog",
                     self.place / "log", "-pidfile", self.place / "pid")
        self.wait_for_ports(CASES)
        self.compare("xinetd", CASES)

    def wait_for_ports(self, cases):
        give_up_s = time.monotonic() + DEADLINE_S
        for case in cases:
            while True:
                try:
                    socket.create_connection(("::1", self.ports[case]), DEADLINE_S).close()
                    break
                except ConnectionRefusedError:
                    self.assertLess(time.monotonic(), give_up_s, case)
                    time.sleep(0.01)

    def test_hours(self):
        """Both ends of access_times are part of it, to the end of their minute."""
        spans = {"from_before": (-1, 0), "until_after": (0, 1), "over": (-2, -1), "to_come": (1, 2)}

        def now():
            return datetime.datetime.now().replace(second=0, microsecond=0)

        def times(span):
            ends = [now() + datetime.timedelta(minutes=minutes) for minutes in span]
            return f"{ends[0]:%H:%M}-{ends[1]:%H:%M}"

        def hear(port):
            return {name: ask(port + number, "127.0.0.1") for number, name in enumerate(spans)}

        for _ in range(3):
            began = now()
            if not 2 <= began.hour * 60 + began.minute < 1438:
                self.skipTest("xinetd has no hours over midnight")
            port = peers.free_ports(2 * len(spans))
            text = "defaults\n{\n}\n"
            sections = {}
            for number, (name, span) in enumerate(spans.items()):
                text += (f"service {name}\n{{\n type = UNLISTED\n socket_type = stream\n"
                         f" protocol = tcp\n bind = 127.0.0.1\n port = {port + number}\n"
                         f" wait = no\n user = {getpass.getuser()}\n"
                         f" server = {self.programs['open']}\n access_times = {times(span)}\n}}\n")
                sections[name] = {
                    "listen": f"127.0.0.1:{port + len(spans) + number}", "handoff": "stdio",
                    "handler": peers.quoted(self.programs["open"]), "hours": times(span)}
            config = self.place / "xinetd.conf"
            config.write_text(text)
            xinetd = peers.Server(self, peers.server("xinetd"), "-dontfork", "-f", config,
                                  "-filelog", self.place / "log", "-pidfile", self.place / "pid",
                                  port=port + len(spans) - 1)
            supervisor = self.supervisor(sections)
            heard = (hear(port), hear(port + len(spans)))
            outcomes = {record["service"]: record["outcome"]
                        for record in supervisor.expect_records(len(spans))}
            xinetd.stop()
            self.stop(supervisor)
            if now() == began:
                break
        else:
            self.fail("the minute was never long enough")
        expected_in = {name: 0 in span for name, span in spans.items()}
        self.assertEqual(heard, (expected_in, expected_in))
        self.assertEqual(outcomes, {name: "served" if is_in else "refused_hours"
                                    for name, is_in in expected_in.items()})

    def test_tcpserver(self):
        cases = []
        for case, rules in CASES.items():
            lines = tcp_rules(*rules)
            if lines is None:
                continue
            cases.append(case)
            compiled = self.place / f"{case}.cdb"
            subprocess.run([peers.server("tcprules"), compiled, self.place / f"{case}.tmp"],
                           input=lines.encode(), check=True, timeout=DEADLINE_S,
                           env=clean_environment())
            peers.Server(self, peers.server("tcpserver"), "-HRl0", "-x", compiled, "0",
                         self.ports[case], self.programs[case])
        self.wait_for_ports(cases)
        self.compare("tcpserver", cases)

    def etc(self):
        """What takes the place of /etc, where libwrap has its rules."""
        etc = self.place / "etc"
        etc.mkdir()
        for name in ("passwd", "group", "nsswitch.conf", "services", "protocols", "hosts",
                     "ld.so.cache", "ld.so.conf", "localtime"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copy(f"/etc/{name}", etc / name)
        lines = [line for case, rules in CASES.items() for line in wrap_rules(case, *rules)]
        (etc / "hosts.allow").write_text("\n".join(lines) + "\n")
        (etc / "hosts.deny").write_text("ALL: ALL\n")
        return etc

    def test_openbsd_inetd(self):
        etc = self.etc()
        config = etc / "inetd.conf"
        config.write_text("".join(
            f"{self.ports[case]} stream {protocol} nowait root "
            f"{self.programs[case]} {case}\n" for case in CASES for protocol in ("tcp", "tcp6")))
        apart = [peers.tool("unshare"), "-m" if os.geteuid() == 0 else "-rm"]
        peers.Server(self, *apart, "/bin/sh", "-c",
                     'mount --bind "$1" /etc && exec "$2" -i -l /etc/inetd.conf', "sh", etc,
                     peers.server("openbsd-inetd"))
        self.wait_for_ports(CASES)
        self.compare("openbsd-inetd", CASES)


if __name__ == "__main__":
    harness.main()
