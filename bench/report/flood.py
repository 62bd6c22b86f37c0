# SPDX-License-Identifier: Apache-2.0
"""Bare ClientHellos against web servers: what they spend at the key servers, and what becomes of a
legitimate client meanwhile."""
import collections
import contextlib
import itertools
import re
import subprocess
import time

import harness
import own_net
from hung_kme import edit
from recipe import Recipe
from report import labs
from report.model import Claim, Section, Table
from report.tls import Arm, Client
from web_servers import SERVER_PORT, children, lab_env

PROGRAM = harness.BUILD / "bench" / "hellos"
AT_ONCE, FLOOD_AT_ONCE = 16, 256
LEGITIMATE, SUCCESSES = 100, 95
PERIOD_S = 0.02  # of the legitimate client
BURST_S = 1  # the burst is what the rate gives in this time
GROUPS = "qkd_x25519mlkem768:qkd_x25519"
TIMEOUT_MS = 250

WebServer = collections.namedtuple("WebServer", "name program block processes config setting")
SERVERS = (
    WebServer("nginx, 2 workers", "nginx", "server", 2, "nginx.conf",
              (r"^( *)ssl_ecdh_curve .*;", rf"\1ssl_ecdh_curve {GROUPS};")),
    WebServer("Apache event, 2 children", "apache", "event", 2, "server.conf",
              (r"^SSLOpenSSLConfCmd Groups .*$", f"SSLOpenSSLConfCmd Groups {GROUPS}")),
)
# what the attacker's IDs are, way of the legitimate client, whether hellos wait for answers
OPEN_LOOP = ("random", "014 client", "open loop")
ATTACKS = (("random", "014 client", "closed loop"), ("zero", "014 client", "closed loop"),
           ("zero", "014 server", "closed loop"), OPEN_LOOP)
# max-keys-per-second and max-keys-burst of each process: one that bites, so that 10,000
# ClientHellos end within the limit, and the default, which is above the attacker's rate.
BOUNDS = ((250, ATTACKS), (1000, (OPEN_LOOP,)))
HEAD = ("server", "a second, a process", "IDs", "loop", "legitimate client", "hellos", "seconds",
        "hellos/s", "keys and look-ups spent", "bound", "legitimate handshakes", "completed")


def _adapt(recipe, kind, keys_per_s):
    """Bounds on what each process spends, and as many processes as `kind` says."""
    edit(recipe, kind.config, *kind.setting)
    edit(recipe, "lab/bob/openssl.cnf", r"^timeout-ms = .*$",
         f"timeout-ms = {TIMEOUT_MS}\nmax-keys-per-second = {keys_per_s}\n"
         f"max-keys-burst = {keys_per_s * BURST_S}")
    if kind.program == "nginx":
        edit(recipe, kind.config, r"^worker_processes .*;",
             f"worker_processes {kind.processes};")
    else:
        path = recipe.dir / "event.conf"
        text = re.sub(r"^(StartServers|ServerLimit|MinSpareThreads|MaxSpareThreads|ThreadsPerChild|"
                      r"MaxRequestWorkers|ThreadLimit) .*\n", "",
                      path.read_text(encoding="utf-8"), flags=re.M)
        path.write_text(text + f"StartServers {kind.processes}\nServerLimit {kind.processes}\n"
                        "ThreadsPerChild 64\nMaxRequestWorkers 128\nMinSpareThreads 128\n"
                        "MaxSpareThreads 128\n", encoding="utf-8")


def _spent(env):
    """Keys delivered to bob and requests of his that gave none, so far."""
    admin = env["KME_B_ADMIN"]
    keys = harness.metric(admin, "qkd_kme_keys_delivered_total", sae="bob")
    refused = 0
    with contextlib.suppress(harness.HarnessError):
        calls = sum(harness.metric(admin, "qkd_kme_requests_total", method=method)
                    for method in ("enc_keys", "dec_keys"))
        good = sum(harness.metric(admin, "qkd_kme_requests_total", method=method, outcome="ok")
                   for method in ("enc_keys", "dec_keys"))
        refused = calls - good
    return int(keys + refused)


def _legitimate_arm(recipe, way):
    path = recipe.lab / "alice" / "openssl.cnf"
    text = re.sub(r"^initiator = .*$", f"initiator = {way.split()[1]}",
                  path.read_text(encoding="utf-8"), flags=re.M)
    conf = recipe.dir / "run" / f"{way.replace(' ', '-')}.cnf"
    conf.write_text(text, encoding="utf-8")
    return Arm("http", f"127.0.0.1:{SERVER_PORT}", str(conf), labs.QKD)


def _attack(recipe, ids, way, loop, scale):
    """The figures of one attack."""
    rate = scale.flood_rate_per_s if loop == "open loop" else 0
    command = [PROGRAM, "127.0.0.1", str(SERVER_PORT), str(scale.hellos),
               str(FLOOD_AT_ONCE if rate else AT_ONCE), str(rate), str(scale.hellos_limit_ms), ids]
    env = lab_env(recipe)
    with Client(str(recipe.lab / "pki" / "ca.pem"), {"it": _legitimate_arm(recipe, way)}) as client:
        time.sleep(1 + BURST_S)  # the burst is there again
        before, start = _spent(env), time.monotonic()
        with subprocess.Popen(command, env=harness.OPENSSL35.env("/dev/null"),
                              stdout=subprocess.PIPE, text=True) as attacker:
            begun = good = 0
            while attacker.poll() is None and begun < LEGITIMATE:
                begun += 1
                good += client.run(["it"], 1, may_fail=True)["it"][0].ok
                time.sleep(PERIOD_S)
            sent, *_, milliseconds = map(int, attacker.stdout.read().split())
        reason = client.errors()
    return {"sent": sent, "seconds": milliseconds / 1e3, "spent": _spent(env) - before - good,
            "lasted_s": time.monotonic() - start, "begun": begun, "good": good,
            "good_of_100": good / max(begun, 1) * 100, "reason": reason}


def _measure(kind, keys_per_s, attacks, scale):
    """[(attack, figures)]; `bound` is what the processes may have spent in that time: rate times
    time, and the burst of each."""
    with Recipe(kind.program, rate_bps=labs.RATE_BPS) as recipe:
        _adapt(recipe, kind, keys_per_s)
        process = recipe.start(kind.block, ready=SERVER_PORT)
        found = [(attack, _attack(recipe, *attack, scale)) for attack in attacks]
        if process.poll() is not None:
            raise harness.HarnessError(f"{kind.name} ended:\n{recipe.logs()[-2000:]}")
    for _, one in found:
        one["bound"] = int(kind.processes * keys_per_s * (one["lasted_s"] + BURST_S))
    return found


def _claims(kind, keys_per_s, found):
    for (ids, way, loop), one in found:
        arm = f"{kind.name}, {keys_per_s} a second, {ids} IDs, {loop}, beside {way}"
        yield Claim(8, "keys and look-ups that bare ClientHellos spend", "at most",
                    one["bound"], one["spent"], arm,
                    f"the set bound; {one['sent']:,} ClientHellos, {one['lasted_s']:.1f} s, "
                    f"{one['begun']} legitimate handshakes")
        yield Claim(8, "handshakes that a legitimate client completes meanwhile",
                    "at least", SUCCESSES, one["good_of_100"], arm,
                    f"the {one['begun']} that it began", " %")


def measure(scale):
    own_net.enter()
    section = Section("An attacker who sends bare ClientHellos")
    rows = []
    for kind, (keys_per_s, attacks) in itertools.product(SERVERS, BOUNDS):
        found = _measure(kind, keys_per_s, attacks, scale)
        section.claims += _claims(kind, keys_per_s, found)
        for (ids, way, loop), one in found:
            rows.append((kind.name, keys_per_s, ids, loop, way, one["sent"], one["seconds"],
                         one["sent"] / one["seconds"], one["spent"], one["bound"], one["begun"],
                         one["good"]))
            section.figures[f"{kind.name}, {keys_per_s} a second, {ids}, {loop}, {way}"] = one
    section.parts = [
        f"{scale.hellos:,} ClientHellos for qkd_x25519 with IDs that are zero (the server is to "
        f"reserve a key) or random (it is to claim one), {AT_ONCE} connections at a time in a "
        f"closed loop, or {scale.flood_rate_per_s:,} a second whatever becomes of them. No new "
        f"ones after {scale.hellos_limit_ms / 1000:g} s. `max-keys-per-second` and "
        "`max-keys-burst` are one and the same number, which holds for each process; "
        f"`timeout-ms = {TIMEOUT_MS}`. "
        f"A legitimate client makes up to {LEGITIMATE} handshakes, one every {PERIOD_S * 1000:g} "
        "ms, as long as the attack goes on. Spent, as the server's key server counts it, are "
        "keys that it delivered and requests that got none, without those of legitimate handshakes "
        "that succeeded; the bound is `max-keys-per-second` × time + `max-keys-burst`, for each "
        "process.",
        Table(HEAD, rows),
        "An open loop above the bound has more connections at a time than turns come in half of "
        "`timeout-ms`, so that not everybody gets one; nothing in a ClientHello tells who is "
        "legitimate (docs/key-delivery.md)."]
    return [section]
