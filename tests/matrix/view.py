# SPDX-License-Identifier: Apache-2.0
"""What a program asks of its own connection (examples/application), on every OpenSSL."""
import pathlib
import re
import socket
import subprocess

import harness

EXAMPLE = harness.ROOT / "examples" / "application"
LINE = re.compile(r"^(?:client|server says): group (\S+), QKD key ([0-9a-f-]{36}), "
                  r"we are its (initiator|responder)$", re.M)
FLOWS = (("014, client-initiated", {}), ("014, server-initiated", {"initiator": "server"}),
         ("004", {"api": "004"}))


def build(installation, folder):
    """The program, against this OpenSSL's own headers; a warning is an error."""
    program = pathlib.Path(folder) / f"application-{installation.name}"
    libraries = ["-L", installation.library_path] if installation.library_path else []
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-I", str(installation.prefix / "include"),
                    *libraries, "-o", str(program), str(EXAMPLE / "application.c"),
                    str(EXAMPLE / "qkd_view.c"), "-lssl", "-lcrypto"], check=True)
    return program


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def talk(lab, installation, program, group):
    """The client's output, and the log of both ends."""
    (port,) = harness.free_ports(1)
    log = lab.temp / f"{installation.name}.log"
    command = [program, "server", str(port), *lab.pki("localhost")]
    env = installation.env(installation.conf(lab, "bob", groups=group), f"info:{log}")
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as server:
        try:
            harness.wait_until(lambda: listens(port), "the server's port")
            done = subprocess.run([program, "client", str(port), lab.ca], text=True, check=False,
                                  env=installation.env(installation.conf(lab, "alice", groups=group),
                                                       f"info:{log}"),
                                  capture_output=True, timeout=harness.LIMIT_S)
        finally:
            server.kill()
    return done.stdout + done.stderr, log.read_text(encoding="utf-8")


def check(report, lab, installation, program, what):
    group = installation.groups()[-1]
    printed, log = talk(lab, installation, program, group)
    seen = sorted(LINE.findall(printed))
    logged = sorted((name, key_id, role) for name, role, key_id, _ in harness.handshake_keys(log))
    ok = (len(seen) == 2 and seen == logged and len({line[:2] for line in seen}) == 1 and
          seen[0][0] == group)
    if not ok:
        report.fail(f"examples/application on {installation.name}, {what}", printed + log)
    return "both ends name it" if ok else "FAILED"


def run(report, installations):
    """One handshake for each flow and version; how many there were."""
    cells = {one.name: [] for one in installations}
    for what, options in FLOWS:
        with harness.Lab(**options) as lab:
            for one in installations:
                cells[one.name].append(check(report, lab, one, build(one, lab.temp), what))
    report.table("The key ID that a program reads from its own connection",
                 ["OpenSSL"] + [what for what, _ in FLOWS],
                 [[name, *row] for name, row in cells.items()])
    return len(installations) * len(FLOWS)
