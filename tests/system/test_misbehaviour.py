# SPDX-License-Identifier: Apache-2.0
"""Misbehaviour on command as its clients see it: what qkdctl get-key prints, and what a TLS
handshake reports at both ends. docs/misbehaviour.md holds all of it and must say what is seen
here; QKD_WRITE_DOCS=1 in the environment writes its tables again."""
import os
import re
import subprocess
import unittest

from harness import (LIMIT_S, QKDCTL, ROOT, SLOWNESS, Lab, Server, child_env, metric, qkdctl,
                     run_client, wait_until)

GROUP = "qkd_x25519mlkem768"
DOCUMENT = ROOT / "docs" / "misbehaviour.md"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

# Nobody waits for these; they are for the rules that never answer in time.
LONG_MS, SHORT_MS = 20000, 1000 * SLOWNESS
TOO_LATE = ("--ms", "600000")

# Whom the rules are for, and their options for qkdctl misbehave set ("+": another rule). Alice
# begins (reserves a key, opens a stream first), bob follows (claims it, joins it).
RULES_014 = (
    ("alice", "delay", "--ms", "50"),
    ("bob", "delay", "--min-ms", "20", "--max-ms", "50"),
    ("alice", "delay", *TOO_LATE),
    ("bob", "delay", *TOO_LATE),
    *((sae, "error", "--code", code) for sae in ("alice", "bob")
      for code in ("400", "401", "404", "500", "503")),
    *((sae, "drop") for sae in ("alice", "bob")),
    ("alice", "depletion"),
    ("alice", "depletion", "+", "empty_400"),
    ("bob", "used_404"),
    *((sae, kind) for kind in ("flip", "chunked", "trailing_slash", "fewer_keys", "unordered",
                               "upper_case_ids") for sae in ("alice", "bob")),
)

RULES_004 = (
    ("alice", "delay", "--ms", "50"),
    ("bob", "delay", "--min-ms", "20", "--max-ms", "50"),
    ("alice", "delay", *TOO_LATE),
    ("bob", "delay", *TOO_LATE),
    *(("alice", "error", "--method", "open_connect", "--code", code)
      for code in ("2", "4", "5", "6", "7")),
    ("bob", "error", "--method", "open_connect", "--code", "5"),
    *((sae, "error", "--method", "get_key", "--code", code) for sae in ("alice", "bob")
      for code in ("2", "3", "4", "6", "8")),
    ("alice", "error", "--method", "close", "--code", "6"),
    *((sae, "drop", "--method", "open_connect") for sae in ("alice", "bob")),
    *((sae, "drop", "--method", "get_key") for sae in ("alice", "bob")),
    *((sae, kind) for kind in ("depletion", "flip", "status_7", "wrong_index", "short_key")
      for sae in ("alice", "bob")),
)


def say(text):
    """A sentence without what differs from run to run."""
    text = re.sub(UUID, "ID", text.strip(), flags=re.I)
    return re.sub(r"localhost:\d+", "localhost:PORT", text)


def say_get_key(done):
    """What one run of get-key told, in a few words where it got a key."""
    if done is None:
        return "not run"
    complaints = [line[len("qkdctl: "):] for line in done.stderr.splitlines()
                  if line.startswith("qkdctl: ")]
    if done.returncode == 0:
        return say("; but says: ".join(["a key", *complaints]))
    return say("; ".join(complaints))


def say_tls(stderr):
    """The first error of an OpenSSL program: ours, with the details, or else OpenSSL's own."""
    for library in ("qkd", "SSL routines"):
        match = re.search(rf"^\w+:error:\w+:{library}:[^:]*:([^:]*):[^:]*:\d+:(.*)$", stderr, re.M)
        if match:
            detail = "" if library == "SSL routines" else match[2]
            return say(f"{match[1]}: {detail}" if detail else match[1])
    return "no error"


def say_handshake(client, server_stderr):
    if client.connected:
        return "connected"
    return f"client: {say_tls(client.stderr)}<br>server: {say_tls(server_stderr)}"


def hears_nothing_of_bob(sae, *rule):
    """Whether alice is refused every key, whatever bob does."""
    return sae == "alice" and ("depletion" in rule or "error" in rule and "get_key" in rule)


def is_repeated(sae, *rule):
    """Whether the refusal is one that may pass, so that get-key asks again until its time is up."""
    return "depletion" in rule or ("error" in rule and "close" not in rule and
                                   ("get_key" in rule or sae == "bob"))


def claim(found, conf):
    return qkdctl("get-key", "--key-id", found[0], conf=conf)


def get_keys_014(_, rule, alice, bob):
    """What alice and then bob are told; alice and bob are their openssl.cnf."""
    first = qkdctl("get-key", conf=alice)
    found = re.search(UUID, first.stdout)
    if found and "used_404" in rule:
        claim(found, bob)
    return first, claim(found, bob) if found else None


def get_keys_004(lab, rule, alice, bob):
    """The same; alice says the ID of her stream and waits until bob has joined it."""
    command = [QKDCTL, "get-key"]
    with open(lab.temp / "first", "w+", encoding="utf-8") as out, subprocess.Popen(
            command, env=child_env(OPENSSL_CONF=alice), stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.PIPE, text=True) as process:
        def found():
            text = (lab.temp / "first").read_text(encoding="utf-8")
            return re.search(UUID, text) or process.poll() is not None
        wait_until(found, "the ID of a stream")
        match = re.search(UUID, (lab.temp / "first").read_text(encoding="utf-8"))
        if not match or hears_nothing_of_bob(*rule):
            second = None
        else:
            second = claim(match, bob)
        stderr = process.communicate(timeout=2 * LIMIT_S)[1]
    return subprocess.CompletedProcess(command, process.returncode, "", stderr), second


class Misbehaviour(unittest.TestCase):
    def open_lab(self, api="014", **options):
        self.lab = self.enterContext(Lab(api=api, **options))
        self.admin = {"alice": self.lab.kme_a_admin, "bob": self.lab.kme_b_admin}

    def misbehave(self, sae, *words):
        return qkdctl("misbehave", *words, "--admin", self.admin[sae], check=True)

    def set_rules(self, sae, api, rules):
        """Rules for one SAE, with a "+" between them."""
        begins = [0, *(i + 1 for i, word in enumerate(rules) if word == "+")]
        for begin, end in zip(begins, [*(begin - 1 for begin in begins[1:]), None]):
            self.misbehave(sae, "set", "--sae", sae, "--api", api, "--kind", *rules[begin:end])

    def conf(self, sae, timeout_ms=LONG_MS):
        return self.lab.conf_with(sae, timeout_ms=timeout_ms)


class WhatClientsSee(Misbehaviour):
    maxDiff = None

    def rows(self, api, rules, get_keys):
        """The lines of a table of the document."""
        self.open_lab(api)
        confs = {(sae, ms): self.conf(sae, ms) for sae in ("alice", "bob")
                 for ms in (LONG_MS, SHORT_MS)}
        with Server(self.lab, conf=confs["bob", LONG_MS]) as server, \
                Server(self.lab, conf=confs["bob", SHORT_MS]) as hasty:
            for sae, *rule in rules:
                late = rule[1:] == list(TOO_LATE)
                patience_ms = SHORT_MS if late or (api == "004" and is_repeated(sae, *rule)) \
                    else LONG_MS
                end = hasty if late else server
                self.set_rules(sae, api, rule)
                told = [say_get_key(done) for done in get_keys(
                    self.lab, (sae, *rule), confs["alice", patience_ms],
                    confs["bob", patience_ms])]
                seen = len(end.stderr())
                client = run_client(self.lab, end.port, groups=GROUP, limit_s=2 * LIMIT_S,
                                    conf=confs["alice", SHORT_MS if late else LONG_MS])
                wait_until(lambda: client.connected or "error:" in end.stderr()[seen:],
                           "what the server says")
                self.misbehave(sae, "clear")
                yield (f"| {sae}: `{' '.join(rule)}` | alice: {told[0]}<br>bob: {told[1]} | "
                       f"{say_handshake(client, end.stderr()[seen:])} |")
            self.assertTrue(run_client(self.lab, server.port, groups=GROUP,
                                       conf=confs["alice", LONG_MS]).connected)

    def check(self, api, rules, get_keys):
        seen = "\n".join(self.rows(api, rules, get_keys))
        text = DOCUMENT.read_text(encoding="utf-8")
        pattern = rf"(?s)(<!-- seen {api} -->\n\n(?:\|[^\n]*\n){{2}})(.*?)(\n\n<!-- end -->)"
        if os.environ.get("QKD_WRITE_DOCS"):
            DOCUMENT.write_text(re.sub(pattern, lambda m: m[1] + seen + m[3], text),
                                encoding="utf-8")
            return
        self.assertEqual(seen.splitlines(), re.search(pattern, text)[2].splitlines())

    def test_the_document_says_what_clients_of_etsi_014_see(self):
        self.check("014", RULES_014, get_keys_014)

    def test_the_document_says_what_clients_of_etsi_004_see(self):
        self.check("004", RULES_004, get_keys_004)


if __name__ == "__main__":
    unittest.main()
