# SPDX-License-Identifier: Apache-2.0
"""Client and server in all pairs of the versions: each handshake is one key at each end, the same."""
import contextlib

import harness
from versions import GROUPS, MLKEM_GROUPS

# Name; ETSI; who reserves the key; roles of client and server.
FLOWS = (
    ("014 client-initiated", "014", "client", ("initiator", "responder")),
    ("014 server-initiated", "014", "server", ("responder", "initiator")),
    ("004 client-initiated", "004", "client", ("initiator", "responder")),
)


def delivered(lab, api):
    """Keys that both key servers delivered to (initiators, responders)."""
    return [sum(harness.metric(url, "qkd_kme_keys_delivered_total", api=api, role=role)
                for url in (lab.kme_a_admin, lab.kme_b_admin))
            for role in ("initiator", "responder")]


class Cell:
    """One handshake of a pair; why() is "" when all is as it must be."""

    def __init__(self, lab, server, client_at, group, flow):
        self._name, self._api, initiator, self._roles = flow
        self._lab, self._server, self._group, self._client_at = lab, server, group, client_at
        self._conf = client_at.conf(lab, "alice", groups=group, initiator=initiator)

    def _run(self):
        before = delivered(self._lab, self._api)
        self._seen = len(harness.handshake_keys(self._server.log()))
        self.client = harness.run_client(self._lab, self._server.port, groups=self._group,
                                         openssl=self._client_at, conf=self._conf)
        self._cost = [now - then for now, then in
                      zip(delivered(self._lab, self._api), before)]

    def why(self):
        self._run()
        at_client = harness.handshake_keys(self.client.log)
        at_server = harness.handshake_keys(self._server.log())[self._seen:]
        if not self.client.connected:
            return f"no handshake: {self.client}\n{self._server.stderr()}"
        if [key[:2] for key in at_client + at_server] != \
                [(self._group, role) for role in self._roles]:
            return f"logged at the client {at_client}, at the server {at_server}"
        if at_client[0][2] != at_server[0][2]:
            return f"key {at_client[0][2]} at the client, {at_server[0][2]} at the server"
        if self._cost != [1, 1]:
            return f"keys delivered to initiators and responders: {self._cost}"
        if self.client.group not in (None, self._group):
            return f"s_client reports {self.client.group}"
        return ""

    def why_not_refused(self):
        """"" when there was no handshake, with QKD or without."""
        self._run()
        if self.client.connected or self._cost[1]:
            return f"a handshake where none can be: {self.client}"
        return ""


def groups_for(server, client):
    return [group for group in GROUPS
            if group not in MLKEM_GROUPS or (server.has_mlkem and client.has_mlkem)]


def run_pair(report, lab, server, server_at, client_at, flow):
    """Group -> text of the cell."""
    cells = {}
    possible = groups_for(server_at, client_at)
    for group in GROUPS:
        cell = Cell(lab, server, client_at, group, flow)
        why = cell.why() if group in possible else cell.why_not_refused()
        cells[group] = "FAILED" if why else "works" if group in possible else "cannot: no ML-KEM"
        if why:
            report.fail(f"{flow[0]}, {group}: client {client_at.name}, server {server_at.name}", why)
    return cells


def run(report, installations):
    """All pairs, groups and flows; the number of handshakes."""
    cells, count = {}, 0
    with contextlib.ExitStack() as stack:
        labs = {api: stack.enter_context(harness.Lab(api=api)) for api in ("014", "004")}
        for server_at in installations:
            for flow in FLOWS:
                lab = labs[flow[1]]
                with harness.Server(lab, "-groups", ":".join(server_at.groups()),
                                    conf=server_at.conf(lab, "bob"),
                                    openssl=server_at) as server:
                    for client_at in installations:
                        got = run_pair(report, lab, server, server_at, client_at, flow)
                        cells[flow[0], client_at.name, server_at.name] = got
                        count += sum(text == "works" for text in got.values())
    for group in GROUPS:
        names = [one.name for one in installations]
        for flow in FLOWS:
            report.table(f"{group}, {flow[0]}: client below, server to the right",
                         ["client"] + names,
                         [[client] + [cells[flow[0], client, server][group] for server in names]
                          for client in names])
    return count
