# SPDX-License-Identifier: Apache-2.0
"""Groups with an inner algorithm of oqsprovider, on every version: with the real module where
OQSPROVIDER names it, else with a stand-in, which is SIMULATED."""
import subprocess

import harness
import oqsprovider
import pairs


def module_for(at):
    """The stand-in comes with each build; the real module is one for a major, as ours is."""
    if not oqsprovider.is_stand_in():
        return oqsprovider.module()
    return at.modules.parents[1] / "tests" / "bin" / "oqs_standin.so"


def try_group(lab, at, server, conf, group):
    """"works", "not offered", or what went wrong."""
    before = pairs.delivered(lab, "014")
    client = harness.run_client(lab, server.port, groups=group, openssl=at, conf=conf)
    cost = [now - then for now, then in zip(pairs.delivered(lab, "014"), before)]
    keys = harness.handshake_keys(client.log)
    if client.connected and [key[0] for key in keys] == [group] and cost == [1, 1] and \
            keys[0][2] == harness.handshake_keys(server.log())[-1][2]:
        return "works"
    if f"group {group}" not in client.log and not keys:
        return "not offered"
    return str(client)


def usable_groups(at, conf):
    """Those of the groups that this OpenSSL knows: one unknown name spoils a whole list."""
    return [group for group in oqsprovider.GROUPS if subprocess.run(
        [at.program, "s_client", "-groups", group, "-connect", "127.0.0.1:1"], env=at.env(conf),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=harness.LIMIT_S,
        check=False).stderr.find("-groups") < 0]


def run(report, installations):
    """Every group with both ends on one version; the number of handshakes."""
    rows, count = [[group] for group in oqsprovider.GROUPS], 0
    with harness.Lab() as lab:
        for at in installations:
            confs = {sae: oqsprovider.conf(at.conf(lab, sae, groups="DEFAULT"), module_for(at))
                     for sae in ("alice", "bob")}
            offered = usable_groups(at, confs["bob"])
            with harness.Server(lab, "-groups", ":".join(offered or ["X25519"]),
                                conf=confs["bob"], openssl=at) as server:
                for row in rows:
                    text = try_group(lab, at, server, confs["alice"], row[0])
                    row.append(text if text in ("works", "not offered") else "FAILED")
                    count += text == "works"
                    if row[-1] == "FAILED" or (oqsprovider.is_stand_in() and text != "works"):
                        report.fail(f"{row[0]} with {module_for(at).name}, OpenSSL {at.name}", text)
    report.table("Inner algorithms of " + ("a STAND-IN for oqsprovider: SIMULATED; OQSPROVIDER=PATH "
                                           "runs the real one" if oqsprovider.is_stand_in()
                                           else str(oqsprovider.module())),
                 ["group"] + [at.name for at in installations], rows)
    return count
