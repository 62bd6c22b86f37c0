# SPDX-License-Identifier: Apache-2.0
"""Three key servers, each linked to the two others: kme-c listens for both at one address, and the
links of kme-a go through relays that a test can hold or cut."""
import contextlib
import os
import re
import signal
import subprocess

import harness
from kme_sites import Relay, Sites

KEY_SERVER = ("basicConstraints = critical, CA:FALSE", "extendedKeyUsage = serverAuth, clientAuth",
              "subjectAltName = DNS:localhost, DNS:kme-c, IP:127.0.0.1")


class ThreeSites(Sites):
    """As Sites, and SAEs dave and erin at kme-c."""

    SAES = {"kme-a": ["alice", "mallory"], "kme-b": ["bob", "carol"], "kme-c": ["dave", "erin"]}
    C_OFFSET, C_LINK_OFFSET, C_RELAY_OFFSET = 5, 8, 9

    def _enter(self):
        self._process = None
        up, self._start = self._start, False
        super()._enter()
        self.relay_c = Relay(self.base_port + self.C_RELAY_OFFSET,
                             self.base_port + self.C_LINK_OFFSET)
        self._stack.callback(self.relay_c.close)
        self.issue("kme-c", "kme-c", extensions=KEY_SERVER)
        self._make_third()
        for offset, name in ((5, "014"), (6, "004"), (7, "admin")):
            scheme = {"014": "https", "004": "etsi004", "admin": "http"}[name]
            host = "127.0.0.1" if name == "admin" else "localhost"
            setattr(self, f"kme_c_{name}", f"{scheme}://{host}:{self.base_port + offset}")
        if up:
            self.up()

    def _make_third(self):
        """The file of kme-c from that of kme-b, and the list of links in all three."""
        text = self.config("kme-b").read_text(encoding="utf-8").replace("kme-b", "kme-c")
        for offset in range(3):
            text = text.replace(f":{self.base_port + 10 + offset}\"",
                                f":{self.base_port + self.C_OFFSET + offset}\"")
        saes = ", ".join(f'{{ id = "{sae}"; }}' for sae in self._saes["kme-c"])
        text = re.sub(r"^saes = .*$", lambda _: f"saes = ( {saes} );", text, flags=re.M)
        self.config("kme-c").write_text(text, encoding="utf-8")
        if "store = {" in text:  # as kme-b has one
            key_file = self.dir / "kme-c.store-key"
            key_file.write_bytes(os.urandom(32))
            key_file.chmod(0o600)
        ports = {"kme-a": {"kme-b": self.RELAY_OFFSET, "kme-c": self.C_RELAY_OFFSET},
                 "kme-b": {"kme-a": 13, "kme-c": self.C_LINK_OFFSET},
                 "kme-c": {"kme-a": self.C_LINK_OFFSET, "kme-b": self.C_LINK_OFFSET}}
        for name, peers in ports.items():
            text = self.config(name).read_text(encoding="utf-8")
            groups = ", ".join(self._group(peer, offset) for peer, offset in peers.items())
            text = re.sub(r"^link = \{.*?^\};", lambda _, groups=groups: f"links = ( {groups} );",
                          text, flags=re.M | re.S)
            self.config(name).write_text(text, encoding="utf-8")

    def _group(self, peer, offset):
        settings = {"simulated_rate_bps": 1000000, "capacity_bits": 8388608, **self._link}
        numbers = "\n".join(f"  {name} = {value};" for name, value in settings.items())
        saes = ", ".join(f'"{sae}"' for sae in self._saes[peer])
        address = f'"127.0.0.1:{self.base_port + offset}"'
        return (f'{{\n  peer_kme_id = "{peer}"; listen = {address}; connect = {address};\n'
                f"  peer_saes = ( {saes} );\n{numbers}\n}}")

    def up(self):
        if self._process is None:
            with open(self.dir / "kme-c.log", "ab") as log:
                self._process = subprocess.Popen(
                    [harness.QKD_KME, "--config", self.config("kme-c")], stdout=log, stderr=log,
                    env=harness.child_env())
            (self.dir / "kme-c.pid").write_text(f"{self._process.pid}\n", encoding="ascii")
        super().up()
        harness.wait_until(lambda: harness.http_get(f"{self.kme_c_admin}/healthz") == "ok\n",
                           "kme-c")

    def stop(self, name, signum=signal.SIGTERM):
        super().stop(name, signum)
        if name == "kme-c":
            self._process.wait()
            self._process = None

    def _end_servers(self):
        super()._end_servers()
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(harness.LIMIT_S)
            self._process.kill()
            self._process.wait()
            self._process = None
            harness.check_sanitizers("kme-c", self.log("kme-c"))

    def site_of(self, sae):
        return next(name[-1] for name, saes in self._saes.items() if sae in saes)

    def url(self, site):
        return getattr(self, f"kme_{site}_014")

    def available(self, site, peer):
        """Key bits that initiators of a site can reserve from one link."""
        return self.metric(site, "qkd_kme_available_bits", peer=peer)

    def stock(self, bits, site="a"):
        for peer in "abc":
            if peer != site:
                harness.wait_until(lambda peer=peer: self.available(site, f"kme-{peer}") >= bits,
                                   f"key bits between {site} and {peer}")

    def freeze(self):
        for site in "abc":
            self.stock(64 * 256, site)
        for name in ("kme-a", "kme-b", "kme-c"):
            self.edit(name, r"^( *simulated_rate_bps =) \d+;", r"\1 0;")
            self.reload(name)
        for one, other in ("ab", "ac", "bc"):
            harness.wait_until(lambda one=one, other=other: self._generated(one, other) ==
                               self._generated(other, one), "all acknowledged")

    def _generated(self, site, peer):
        return self.metric(site, "qkd_kme_generated_bits_total", peer=f"kme-{peer}")

    def wait_for_links(self, up, *pairs):
        for one, other in pairs:
            for site, peer in ((one, other), (other, one)):
                harness.wait_until(lambda site=site, peer=peer: self.metric(
                    site, "qkd_kme_link_up", peer=f"kme-{peer}") == up,
                    f"link of {site} and {peer}: {up}")

    def wait_for_link_down(self, *pairs):
        """Of key servers of which the second has ended."""
        for site, peer in pairs:
            harness.wait_until(lambda site=site, peer=peer: self.metric(
                site, "qkd_kme_link_up", peer=f"kme-{peer}") == 0, f"link of {site} and {peer}")
