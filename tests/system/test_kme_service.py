# SPDX-License-Identifier: Apache-2.0
"""qkd-kme as a service: what it tells a service manager, whose rights it has, how it ends."""
import contextlib
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import sys
import unittest

import harness
from kme_sites import Case, exchange, read_answers, request

NOBODY = "nobody"
needs_root = unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")


class Manager:
    """A service manager: hears what its service says."""

    def __init__(self):
        self.name = f"@qkd-test-notify-{os.getpid()}-{id(self)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.name[1:])
        self._socket.settimeout(harness.LIMIT_S)

    def hear(self):
        """The lines of the next message."""
        return self._socket.recv(4096).decode().split("\n")

    def hear_until(self, line):
        """All lines up to the message with this one."""
        heard = []
        while line not in heard:
            heard += self.hear()
        return heard

    def close(self):
        self._socket.close()


class ServiceCase(Case):
    def start(self, sites, name="kme-a", user=None, **env):
        """One key server as a child of ours, its log where a laboratory has it."""
        with open(sites.dir / f"{name}.log", "ab") as log:
            child = subprocess.Popen([harness.QKD_KME, "--config", sites.config(name)],
                                     stdin=subprocess.DEVNULL, stderr=log, user=user,
                                     env=harness.child_env(**env))
        self.addCleanup(self.end, child)
        return child

    @staticmethod
    def end(child):
        if child.poll() is None:
            child.kill()
        child.wait()

    def wait_for_end(self, child):
        """Its exit code."""
        return child.wait(timeout=harness.LIMIT_S)

    def manager(self):
        manager = Manager()
        self.addCleanup(manager.close)
        return manager

    def refusal(self, sites, user=None):
        child = self.start(sites, user=user)
        self.assertEqual(self.wait_for_end(child), 1)
        return sites.log("kme-a").splitlines()[-1]

    @staticmethod
    def set_user(sites, line, name="kme-a"):
        sites.edit(name, r'^user = .*\n', line)

    @staticmethod
    def open_to(sites, name):
        """Lets another account into the laboratory."""
        account = pwd.getpwnam(name)
        for path in (sites.temp, sites.dir):
            os.chmod(path, 0o755)
        for path in (sites.dir, *sites.dir.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid)


class Notify(ServiceCase):
    def test_ready_comes_when_all_listeners_are_bound(self):
        sites, manager = self.sites(up=False), self.manager()
        self.start(sites, "kme-b", NOTIFY_SOCKET=manager.name)
        self.assertEqual(manager.hear(), ["READY=1"])
        for offset in (10, 11, 12, 13):
            socket.create_connection(("127.0.0.1", sites.base_port + offset)).close()
        self.assertRegex(manager.hear()[0], r"\ASTATUS=kme-b: 0 of 1 links up \(SIMULATED")
        self.start(sites, "kme-a")
        self.assertRegex(manager.hear()[0], r"\ASTATUS=kme-b: 1 of 1 links up \(SIMULATED")

    def test_a_start_that_fails_is_never_ready_and_says_why(self):
        sites, manager = self.sites(up=False), self.manager()
        with socket.create_server(("127.0.0.1", sites.base_port + 2)):
            child = self.start(sites, NOTIFY_SOCKET=manager.name)
            reason = f"cannot listen on 127.0.0.1:{sites.base_port + 2}: Address already in use"
            self.assertEqual(manager.hear(), [f"STATUS={reason}"])
            self.assertEqual(self.wait_for_end(child), 1)
        self.assertIn(reason, sites.log("kme-a"))

    def test_a_reload_is_told_with_its_time_and_its_end(self):
        sites, manager = self.sites(up=False), self.manager()
        child = self.start(sites, NOTIFY_SOCKET=manager.name)
        manager.hear_until("READY=1")
        manager.hear()
        child.send_signal(signal.SIGHUP)
        self.assertEqual(manager.hear()[0], "RELOADING=1")
        self.assertEqual(manager.hear(), ["READY=1"])
        sites.edit("kme-a", r"^kme_id", "colour = 1;\nkme_id")
        child.send_signal(signal.SIGHUP)
        heard = manager.hear_until("READY=1")
        self.assertIn("RELOADING=1", heard)
        self.assertRegex(" ".join(heard), r"MONOTONIC_USEC=\d+")
        self.assertRegex(heard[-1], "STATUS=The old configuration stays: .*colour is unknown")

    def test_the_end_is_told(self):
        sites, manager = self.sites(up=False), self.manager()
        child = self.start(sites, NOTIFY_SOCKET=manager.name)
        manager.hear_until("READY=1")
        child.terminate()
        manager.hear_until("STOPPING=1")
        self.assertEqual(self.wait_for_end(child), 0)

    def test_the_watchdog_hears_signs_of_life(self):
        sites, manager = self.sites(up=False), self.manager()
        self.start(sites, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="50000")
        for _ in range(3):
            manager.hear_until("WATCHDOG=1")

    def test_an_unusable_socket_is_a_warning_only(self):
        sites = self.sites(up=False)
        self.start(sites, NOTIFY_SOCKET="nowhere")
        harness.wait_until(lambda: "NOTIFY_SOCKET" in sites.log("kme-a"), "a warning")
        harness.wait_until(lambda: "listens on" in sites.log("kme-a"), "a start all the same")


class User(ServiceCase):
    @needs_root
    def test_root_must_say_which_user(self):
        sites = self.sites(up=False)
        self.set_user(sites, "")
        self.assertIn("started as root without the setting user", self.refusal(sites))

    def test_an_unknown_user_is_named(self):
        sites = self.sites(up=False)
        self.set_user(sites, 'user = "no-such-account";\n')
        self.assertIn('user = "no-such-account": there is no such account', self.refusal(sites))
        done = subprocess.run([harness.QKD_KME, "--check-config", "--config",
                               sites.config("kme-a")], env=harness.child_env(),
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no-such-account", done.stderr)

    @needs_root
    def test_only_root_can_become_somebody_else(self):
        sites = self.sites(up=False)
        self.open_to(sites, NOBODY)
        self.set_user(sites, 'user = "daemon";\n')
        self.assertIn("only root can change to another", self.refusal(sites, user=NOBODY))

    @needs_root
    def test_somebody_else_needs_no_root(self):
        sites, manager = self.sites(up=False), self.manager()
        self.open_to(sites, NOBODY)
        for line in ("", f'user = "{NOBODY}";\n'):
            if line:
                sites.edit("kme-a", r"^kme_id", line + "kme_id")
            else:
                self.set_user(sites, line)
            child = self.start(sites, user=NOBODY, NOTIFY_SOCKET=manager.name)
            manager.hear_until("READY=1")
            child.terminate()
            self.assertEqual(self.wait_for_end(child), 0)

    @staticmethod
    def threads_of(child):
        """What the kernel says about each thread, as {name: value}."""
        return [dict(re.findall(r"(\w+):\t(.*)", (task / "status").read_text(encoding="ascii")))
                for task in pathlib.Path(f"/proc/{child.pid}/task").iterdir()]

    @needs_root
    def test_root_becomes_the_user_and_keeps_nothing(self):
        sites, manager = self.sites(up=False, durable=("kme-a",)), self.manager()
        self.open_to(sites, NOBODY)
        self.set_user(sites, f'user = "{NOBODY}";\n')
        child = self.start(sites, NOTIFY_SOCKET=manager.name)
        manager.hear_until("READY=1")
        account = pwd.getpwnam(NOBODY)
        self.set_user(sites, f'user = "{NOBODY}";\n', "kme-b")
        self.start(sites, "kme-b")
        harness.wait_until(lambda: len(self.threads_of(child)) == 2, "the thread of the store")
        threads = self.threads_of(child)
        for status in threads:
            self.assertEqual(status["Uid"].split(), [str(account.pw_uid)] * 4)
            self.assertEqual(status["Gid"].split(), [str(account.pw_gid)] * 4)
            self.assertEqual(status["Groups"].split(), [str(account.pw_gid)])
            self.assertEqual(status["NoNewPrivs"], "1")
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(int(status[name], 16), 0, name)
        for path in sites.dir.glob("kme-a.db*"):
            self.assertEqual((path.stat().st_uid, path.stat().st_mode & 0o777),
                             (account.pw_uid, 0o600), path)
        self.assertTrue((sites.dir / "kme-a.db").exists())

    @staticmethod
    def can_lift_memory_limit():
        """Whether root may lock without a limit: a container may withhold that."""
        lift = "import resource as r; r.setrlimit(r.RLIMIT_MEMLOCK, (r.RLIM_INFINITY,) * 2)"
        return subprocess.run([sys.executable, "-c", lift], capture_output=True,
                              check=False).returncode == 0

    @needs_root
    @unittest.skipIf(harness.SANITIZED, "AddressSanitizer makes mlockall do nothing")
    def test_key_memory_stays_locked_for_the_user_where_that_is_possible(self):
        for user in ("root", NOBODY):
            sites, manager = self.sites(up=False), self.manager()
            self.open_to(sites, NOBODY)
            self.set_user(sites, f'user = "{user}";\n')
            child = self.start(sites, NOTIFY_SOCKET=manager.name)
            manager.hear_until("READY=1")
            locked = int(self.threads_of(child)[0]["VmLck"].split()[0]) > 0
            self.assertEqual(locked, "is not locked" not in sites.log("kme-a"))
            if user == NOBODY:
                self.assertEqual(locked, self.can_lift_memory_limit())

    @needs_root
    def test_root_binds_ports_and_reads_keys_that_the_user_cannot(self):
        sites, manager = self.sites(up=False), self.manager()
        self.open_to(sites, NOBODY)
        port = self.low_port()
        self.set_user(sites, f'user = "{NOBODY}";\n')
        sites.edit("kme-a", r'^etsi014 = .*$', f'etsi014 = {{ listen = "127.0.0.1:{port}"; }};')
        os.chown(sites.dir / "pki" / "kme-a.key", 0, 0)
        child = self.start(sites, NOTIFY_SOCKET=manager.name)
        manager.hear_until("READY=1")
        socket.create_connection(("127.0.0.1", port)).close()
        self.assertRegex(sites.log("kme-a"), rf"warn user '{NOBODY}' cannot read key = .*SIGHUP")
        child.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: re.search(
            r"the old configuration stays: key = .*Permission denied", sites.log("kme-a")),
            "a refusal")

    @staticmethod
    def low_port():
        for port in range(1023, 600, -1):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
        raise unittest.SkipTest("no free port below 1024")

    @needs_root
    def test_a_key_that_the_user_cannot_read_is_named(self):
        sites = self.sites(up=False)
        self.open_to(sites, NOBODY)
        self.set_user(sites, "")
        os.chown(sites.dir / "pki" / "kme-a.key", 0, 0)
        self.assertRegex(self.refusal(sites, user=NOBODY), r'key = ".*kme-a.key": Permission denied')


class End(ServiceCase):
    def held_claim(self, **limits):
        """Two sites, a claim at kme-b that waits for its key, and the connection that it is on."""
        sites = self.sites(limits={"hold_ms": 20000, **limits})
        sites.stock(512)
        sites.relay.hold()
        key_id = sites.call("alice", "bob/enc_keys").keys()[0][0]
        connection = sites.connect("bob")
        self.addCleanup(connection.close)
        connection.sendall(request(f"alice/dec_keys?key_ID={key_id}"))
        idle = sites.connect("bob")
        self.addCleanup(idle.close)
        self.assertEqual(exchange(idle, request("alice/status"))[0].code, 200)
        return sites, connection, key_id

    def terminate(self, sites):
        os.kill(sites.pid("kme-b"), signal.SIGTERM)
        harness.wait_until(lambda: "ending: " in sites.log("kme-b"), "the signal")

    def gone(self, sites):
        harness.wait_until(lambda: re.search(r" info ended\n\Z", sites.log("kme-b")), "the end")

    def test_answers_under_way_are_finished_but_nobody_new_is_let_in(self):
        sites, connection, key_id = self.held_claim()
        self.terminate(sites)
        for offset in (10, 11):
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", sites.base_port + offset))
        sites.relay.release()
        answer = read_answers(connection, 1)[0]
        self.assertEqual((answer.code, answer.headers["connection"]), (200, "close"))
        self.assertEqual(answer.keys()[0][0], key_id)
        self.gone(sites)
        self.assertNotIn("cut off", sites.log("kme-b"))

    def test_what_takes_too_long_is_cut_off(self):
        sites, _, _ = self.held_claim()
        self.terminate(sites)
        self.gone(sites)
        self.assertIn("requests under way are cut off", sites.log("kme-b"))

    def test_a_second_signal_ends_it_at_once(self):
        sites, _, _ = self.held_claim()
        self.terminate(sites)
        os.kill(sites.pid("kme-b"), signal.SIGTERM)
        self.gone(sites)
        self.assertNotIn("cut off", sites.log("kme-b"))


if __name__ == "__main__":
    unittest.main()
