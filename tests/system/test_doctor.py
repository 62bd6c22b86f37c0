# SPDX-License-Identifier: Apache-2.0
"""qkdctl doctor on set-ups that are broken in one way each: the finding that comes first is the
cause, and doing what its cure says to the letter makes all right again."""
import collections
import os
import pathlib
import re
import shutil
import unittest
from random import Random

from doctor_case import (diagnose, follow, issue, openssl, past, read, remove_in_section, replace,
                         run_doctor, set_in_section, write)
from harness import BUILD, MODULES, SYSTEM_OPENSSL, Lab, check_sanitizers, qkdctl

TOOLS = BUILD / "tests" / "bin"

# what is broken, how (a function of the world), which step finds it, what it says, what the cure
# says, what to do outside the file before following it (None: the cure says it all; "" cures have
# no line to follow, then `outside` does it)
Case = collections.namedtuple("Case", "what breaks step text cure outside outcome",
                              defaults=(None, "wrong"))


class World:
    """One SAE's configuration to break, in a folder of its own, in a laboratory that is up."""

    def __init__(self, lab, folder):
        self.lab = lab
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.path = self.folder / "openssl.cnf"
        shutil.copy(lab.conf("alice"), self.path)

    def set(self, line, section="qkd_provider"):
        set_in_section(self.path, section, line)

    def remove(self, name, section="qkd_provider"):
        remove_in_section(self.path, section, name)

    def replace(self, old, new):
        replace(self.path, old, new)

    def identity(self, name="alice", *dates, **more):
        cert, key = issue(self.lab, self.folder / "pki", name, *dates, **more)
        self.set(f"cert = {cert}")
        self.set(f"key = {key}")
        return cert, key

    def good_identity(self):
        """What the CA gives to somebody who asks for a new certificate."""
        issue(self.lab, self.folder / "pki", "alice", *past(-1, 300))

    def module(self, change):
        """A copy of the module, changed, as the file's module."""
        copy = self.folder / "qkd.so"
        copy.write_bytes(change((MODULES / "qkd.so").read_bytes()))
        self.set(f"module = {copy}")


def with_line(world, line):
    write(world.path, line + "\n" + read(world.path))


def without_head(world, line):
    world.replace(line + "\n", "")


def key_of_another(world):
    world.set(f"key = {world.lab.pki('bob')[1]}")


def key_with_passphrase(world):
    target = world.folder / "locked.key"
    openssl("pkey", "-in", world.lab.pki("alice")[1], "-aes256", "-passout", "pass:secret",
            "-out", target)
    target.chmod(0o600)
    world.set(f"key = {target}")


def without_passphrase(world, cure):
    command = re.search(r": (openssl pkey -in (\S+) -out) NEW\.key$", cure)
    target = world.folder / "open.key"
    openssl(*command[1].split()[1:], target, "-passin", "pass:secret")
    target.chmod(0o600)
    world.set(f"key = {target}")


def open_key(world):
    copy = world.folder / "alice.key"
    shutil.copy(world.lab.pki("alice")[1], copy)
    copy.chmod(0o644)
    world.set(f"key = {copy}")


def old_ca(world):
    target = world.folder / "ca.pem"
    openssl("req", "-x509", "-key", world.lab.pki("ca")[1], "-subj", "/CN=ca", "-config",
            "/dev/null", "-addext", "basicConstraints = critical, CA:TRUE", "-out", target,
            *past(-20, -10))
    world.set(f"ca = {target}")


def present_ca(world, cure):
    shutil.copy(world.lab.ca, re.search(r"put it into (\S+)$", cure)[1])


def foreign_first(world):
    world.replace("qkd = qkd_provider", "foreign = foreign\nqkd = qkd_provider")
    write(world.path, read(world.path) +
          f"\n[foreign]\nmodule = {TOOLS / 'foreign.so'}\nactivate = 1\n")


def other_machine(content):
    place = 18  # e_machine
    return content[:place] + (b"\x08\x00" if content[place:place + 2] != b"\x08\x00"
                              else b"\x3e\x00") + content[place + 2:]


FILE = (
    Case("no such file", lambda w: w.path.unlink(), "file",
         "cannot be opened: No such file", "name a file that exists",
         lambda w, cure: shutil.copy(w.lab.conf("alice"), w.path)),
    Case("a line that is none", lambda w: w.replace("[ssl]\n", "[ssl]\nneither head nor line\n"),
         "file", "OpenSSL cannot read line", r"mend line \d+ of "),
    Case("no openssl_conf", lambda w: without_head(w, "openssl_conf = init"), "file",
         "no line 'openssl_conf = SECTION'", "openssl_conf = init"),
    Case("openssl_conf with a misspelt section",
         lambda w: w.replace("openssl_conf = init", "openssl_conf = inti"), "file",
         "'openssl_conf = inti' names a section", "write the line as: openssl_conf = init$"),
    Case("config_diagnostics inside a section",
         lambda w: (without_head(w, "config_diagnostics = 1"),
                    w.set("config_diagnostics = 1", "init")), "file",
         r"stands in section \[init\]", "move the line 'config_diagnostics = 1'"),
    Case("no config_diagnostics", lambda w: without_head(w, "config_diagnostics = 1"), "file",
         "OpenSSL ignores a mistake", "config_diagnostics = 1$", outcome="warning"),
    Case("no list of providers", lambda w: w.remove("providers", "init"), "providers",
         "no line 'providers = SECTION'", r"section \[init\]: providers = providers"),
    Case("a provider that is not listed", lambda w: w.remove("qkd", "providers"), "providers",
         "does not list the provider qkd", r"section \[providers\]: qkd = qkd_provider"),
    Case("a provider with a misspelt section",
         lambda w: w.set("qkd = qkd_provder", "providers"), "providers",
         "'qkd = qkd_provder' in section", "write the line as: qkd = qkd_provider"),
    Case("a provider that is not activated", lambda w: w.remove("activate"), "providers",
         "does not activate the provider", "activate = 1"),
    Case("a provider that is activated in no word of OpenSSL's",
         lambda w: w.set("activate = ja"), "providers", "'activate = ja' .* does not say yes",
         "activate = 1"),
    Case("no default provider", lambda w: w.remove("default", "providers"), "providers",
         "no other provider is activated", r"\[default_provider\] activate = 1"),
    Case("a default provider that is not activated",
         lambda w: w.remove("activate", "default_provider"), "providers",
         "no other provider is activated", r"section \[default_provider\]: activate = 1"),
    Case("a module that is not there", lambda w: w.set("module = /nonexistent/qkd.so"), "module",
         "'/nonexistent/qkd.so' cannot be opened: No such file", r"module = /\S+/qkd\.so"),
    Case("a module that is a text", lambda w: w.set(f"module = {w.path}"), "module",
         "is not a shared object", r"module = /\S+/qkd\.so"),
    Case("the module of another machine", lambda w: w.module(other_machine), "module",
         "built for another kind of machine", r"module = /\S+/qkd\.so"),
    Case("the module of another libcrypto",
         lambda w: w.module(lambda text: text.replace(b"libcrypto.so.3", b"libcrypto.so.9")),
         "module", r"built for libcrypto\.so\.9", r"module = /\S+/qkd\.so"),
    Case("the module of another provider", lambda w: w.set(f"module = {TOOLS / 'foreign.so'}"),
         "module", "is a provider, but not that of", r"module = /\S+/qkd\.so"),
)

SETTINGS = (
    Case("a misspelt setting",
         lambda w: (w.remove("timeout-ms"), w.set("timeout_ms = 1500")), "settings",
         "unknown setting 'timeout_ms'.*probably meant: timeout-ms",
         r"replace 'timeout_ms' by: timeout-ms = 1500"),
    Case("a setting that nobody knows", lambda w: w.set("colour = blue"), "settings",
         "unknown setting 'colour'", "remove the line: colour"),
    Case("groups that OpenSSL does not have", lambda w: w.set("kme-groups = X25519:X25518"),
         "settings", "kme-groups = 'X25519:X25518' is no list", "remove the line: kme-groups"),
    Case("a hybrid required and none named",
         lambda w: (w.set("kme-groups = X25519"), w.set("kme-require-pq = yes")), "settings",
         "names no post-quantum hybrid", "remove the line: kme-groups"),
    Case("neither yes nor no", lambda w: w.set("kme-require-pq = on"), "settings",
         "kme-require-pq = 'on' is neither", "kme-require-pq = yes"),
    Case("a time that is none", lambda w: w.set("timeout-ms = 1s"), "settings",
         "timeout-ms = '1s' is not a number", "timeout-ms = 1000"),
    Case("an initiator that is none", lambda w: w.set("initiator = both"), "settings",
         "initiator = 'both' is neither", "initiator = client"),
    Case("no SAE ID", lambda w: w.remove("sae"), "settings",
         "sae is not set.*that of 'alice'", "sae = alice$"),
    Case("a certificate that is not there", lambda w: w.set("cert = /nonexistent.pem"), "settings",
         "cert: cannot open '/nonexistent.pem'", "let the line name our certificate",
         lambda w, cure: w.set(f"cert = {w.lab.pki('alice')[0]}")),
    Case("a URL of another kind",
         lambda w: w.set(f"kme = {w.lab.kme_a_014.replace('https', 'http')}"), "settings",
         "kme: 'http://", "kme = https://HOST:PORT",
         lambda w, cure: w.set(f"kme = {w.lab.kme_a_014}")),
    Case("an expired certificate", lambda w: w.identity("alice", *past(-20, -2)), "identity",
         "certificate of 'alice' expired on", r"new certificate .* put it into \S+/alice\.pem",
         lambda w, cure: w.good_identity()),
    Case("a certificate of tomorrow", lambda w: w.identity("alice", *past(1, 20)), "identity",
         "valid only from .* this machine's clock says", "set this machine's clock; otherwise",
         lambda w, cure: w.good_identity()),
    Case("a certificate that ends soon", lambda w: w.identity("alice", *past(-1, 9)), "identity",
         "expires in 8 days|expires in 9 days", "new certificate",
         lambda w, cure: w.good_identity(), "warning"),
    Case("the key of another", key_of_another, "identity",
         "is not that of the certificate of 'alice'", "two files of one identity",
         lambda w, cure: w.set(f"key = {w.lab.pki('alice')[1]}")),
    Case("a key with a passphrase", key_with_passphrase, "identity",
         "has a passphrase", "openssl pkey -in", without_passphrase),
    Case("a certificate in the place of the key",
         lambda w: w.set(f"key = {w.lab.pki('alice')[0]}"), "identity",
         "holds no PEM private key", "let 'key' name",
         lambda w, cure: w.set(f"key = {w.lab.pki('alice')[1]}")),
    Case("a key that others can read", open_key, "identity", "has mode 0644", "^chmod ",
         outcome="warning"),
    Case("an expired CA", old_ca, "identity", "ca: the certificate of 'ca' expired",
         "present certificate of the key server's CA", present_ca),
    Case("the certificate of a server",
         lambda w: w.identity("alice", *past(-1, 300), purpose="serverAuth"), "identity",
         "not meant for TLS clients", "clientAuth",
         lambda w, cure: w.good_identity()),
)

TLS = (
    Case("a number of another group",
         lambda w: w.set("codepoint-qkd_mlkem768 = 0x001D"), "numbers",
         "codepoint-qkd_mlkem768 = 0x001D is the number of another", "remove the line",
         lambda w, cure: w.remove("codepoint-qkd_mlkem768")),
    Case("another provider with a number of ours", foreign_first, "numbers",
         "qkd_x25519mlkem768 is not offered: provider foreign has its number 0xFE18",
         "codepoint-qkd_x25519mlkem768 = 0xFEE0$"),
    Case("a number for a group that is none",
         lambda w: w.set("codepoint-qkd_x25520 = 0xFEE1"), "numbers",
         "a group that the module does not offer", "remove the line: codepoint-qkd_x25520",
         outcome="warning"),
    Case("a misspelt group", lambda w: w.set("Groups = qkd_x25519mklem768:qkd_x25519", "tls"),
         "groups", "the name 'qkd_x25519mklem768', which this OpenSSL does not know",
         "Groups = qkd_x25519mlkem768:qkd_x25519$"),
    Case("no QKD group", lambda w: w.set("Groups = X25519:P-256", "tls"), "groups",
         "has no QKD group", "Groups = qkd_x25519mlkem768"),
    Case("X25519 beside", lambda w: w.set("Groups = qkd_x25519mlkem768:X25519", "tls"),
         "fall-back", "Groups has X25519 beside QKD groups", "Groups = qkd_x25519mlkem768$",
         outcome="warning"),
    Case("no Groups", lambda w: w.remove("Groups", "tls"), "groups", "no line 'Groups = LIST'",
         "Groups = qkd_x25519mlkem768$", outcome="warning"),
    Case("of two lists the last has X25519",
         lambda w: (w.set("Curves = qkd_x25519mlkem768:X25519", "tls"),
                    w.set("Groups = qkd_x25519mlkem768", "tls")),
         "fall-back", "Groups has X25519 beside QKD groups", "Groups = qkd_x25519mlkem768$",
         lambda w, cure: (w.remove("Curves", "tls"), follow(cure, w.path)), "warning"),
    Case("TLS 1.2", lambda w: w.remove("MinProtocol", "tls"), "fall-back",
         "TLS 1.2 is allowed", "MinProtocol = TLSv1.3", outcome="warning"),
    Case("no TLS 1.3",
         lambda w: (w.remove("MinProtocol", "tls"), w.set("MaxProtocol = TLSv1.2", "tls")),
         "groups", "MaxProtocol = TLSv1.2 excludes TLS 1.3", "MaxProtocol = TLSv1.3",
         lambda w, cure: (follow(cure, w.path), w.set("MinProtocol = TLSv1.3", "tls"))),
    Case("no ssl_conf", lambda w: w.remove("ssl_conf", "init"), "tls",
         "no line 'ssl_conf = SECTION'", "ssl_conf = ssl$", outcome="warning"),
    Case("ssl_conf with a misspelt section", lambda w: w.set("ssl_conf = sssl", "init"), "tls",
         "'ssl_conf = sssl' names a section", "write the line as: ssl_conf = ssl$"),
    Case("no system_default",
         lambda w: (w.remove("system_default", "ssl"), w.set("server = tls", "ssl")), "tls",
         "has no line 'system_default", "system_default = tls$"),
    Case("system_default with a misspelt section",
         lambda w: w.set("system_default = tsl", "ssl"), "tls",
         "'system_default = tsl' names a section", "system_default = tls$"),
    Case("another line of TLS that is none", lambda w: w.set("Grups = P-256", "tls"), "groups",
         r"cannot use the TLS settings of section \[tls\].*Grups", "the reason names",
         lambda w, cure: w.remove("Grups", "tls")),
)

CASES = FILE + SETTINGS + TLS


class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__, None, None, None)

    def check(self, cases):
        for number, case in enumerate(cases):
            with self.subTest(what=case.what):
                world = World(self.lab, self.lab.temp / f"world-{number}")
                case.breaks(world)
                found = diagnose(world.path)
                self.assertIsNotNone(found.first, str(found))
                self.assertEqual((found.first["step"], found.first["outcome"]),
                                 (case.step, case.outcome), str(found))
                self.assertRegex(found.first["text"], case.text)
                self.assertRegex(found.first["cure"], case.cure)
                self.assertEqual(found.returncode, 1 if case.outcome == "wrong" else 0)
                if case.outcome == "wrong":
                    self.assertEqual(found.document["first_wrong"], found.first)
                if case.outside:
                    case.outside(world, found.first["cure"])
                else:
                    follow(found.first["cure"], world.path)
                mended = diagnose(world.path)
                self.assertIsNone(mended.first, f"{found.first['cure']}\n{mended}")
                self.assertEqual(mended.returncode, 0)

    def test_what_is_wrong_with_the_file_or_the_module(self):
        self.check(FILE)

    def test_what_is_wrong_with_settings_or_certificates(self):
        self.check(SETTINGS)

    def test_what_is_wrong_with_groups_or_tls(self):
        self.check(TLS)

    def test_the_tables_have_more_than_twenty_broken_set_ups(self):
        self.assertGreater(len({case.what for case in CASES}), 20)
        self.assertEqual(len({case.what for case in CASES}), len(CASES))


class WithoutGroups(unittest.TestCase):
    def test_a_file_without_groups_is_not_called_safe(self):
        with Lab() as lab:
            for section, name in (("tls", "Groups"), ("init", "ssl_conf")):
                with self.subTest(name=name):
                    world = World(lab, lab.temp / name)
                    world.remove(name, section)
                    found = diagnose(world.path)
                    said = [one for one in found.findings if one["step"] == "fall-back"]
                    self.assertEqual({one["outcome"] for one in said}, {"warning"}, str(found))
                    self.assertRegex(said[0]["text"], "gives no groups to all .* have no QKD$")
                    self.assertIn("each program sets QKD groups of its own", said[0]["cure"])
                    if section == "tls":
                        follow(said[0]["cure"], world.path)
                        self.assertIsNone(diagnose(world.path).first, said[0]["cure"])


class Modules(unittest.TestCase):
    """A module that never gets through its start ends a process of its own, not the doctor."""

    def check(self, how, text):
        with Lab(up=False) as lab:
            world = World(lab, lab.temp / "world")
            module = world.folder / "qkd.so"
            shutil.copy(TOOLS / f"broken_{how}.so", module)
            world.set(f"module = {module}")
            found = diagnose(world.path)
            self.assertEqual(found.first["step"], "load", str(found))
            self.assertRegex(found.first["text"], text)
            self.assertEqual(found.returncode, 1)
            self.assertEqual(found.outcome("groups"), "not tried")

    def test_a_module_that_crashes_is_a_finding(self):
        self.check("abort", r"signal 6 \(Aborted\) at: loading the configuration")

    def test_a_module_that_hangs_is_a_finding(self):
        self.check("pause", "hung for 8 s at: loading the configuration")


class Mutations(unittest.TestCase):
    """Whatever stands in the file, the doctor comes to an end and says something about it."""

    COUNT = 60

    @staticmethod
    def mutate(random, lines):
        """One to three changes to the lines, none of which names another host."""
        lines = list(lines)
        for _ in range(random.randrange(1, 4)):
            place = random.randrange(len(lines))
            if lines[place].startswith("kme ="):
                continue
            kind = random.randrange(6)
            if kind == 0:
                del lines[place]
            elif kind == 1:
                lines.insert(place, lines[random.randrange(len(lines))])
            elif kind == 2 and lines[place]:
                at = random.randrange(len(lines[place]))
                lines[place] = (lines[place][:at] + chr(random.randrange(1, 256)) +
                                lines[place][at + 1:])
            elif kind == 3:
                lines[place] = lines[place] + random.choice("x:=[]$\"'\\#") * 300
            elif kind == 4:
                lines[place] = lines[place].split("=")[0] + "="
            else:
                lines = lines[:max(place, 1)]
        return lines

    def test_no_mutated_file_ends_the_doctor(self):
        random = Random(2026)
        with Lab(up=False) as lab:
            good = read(lab.conf("alice")).splitlines()
            path = lab.temp / "mutated.cnf"
            wrong = 0
            for number in range(self.COUNT):
                text = "\n".join(self.mutate(random, good)) + "\n"
                path.write_bytes(text.encode("latin-1", "replace"))
                found = diagnose(path)
                with self.subTest(number=number):
                    self.assertIn(found.returncode, (0, 1), f"{text}\n{found}")
                    # The key servers are down, so something always is wrong.
                    self.assertIsNotNone(found.document["first_wrong"], f"{text}\n{found}")
                    check_sanitizers("qkdctl doctor", found.stderr)
                    wrong += found.first["step"] != "kme-tcp"
            self.assertGreater(wrong, self.COUNT // 4)


class Sound(unittest.TestCase):
    def test_a_good_laboratory_is_sound_with_either_standard(self):
        for options in ({}, {"api": "004"}):
            with self.subTest(options=options), Lab(**options) as lab:
                for name in ("alice", "bob"):
                    found = diagnose(lab.conf(name))
                    self.assertEqual(found.returncode, 0, str(found))
                    self.assertIsNone(found.first, str(found))
                    self.assertIs(found.document["sound"], True)
                    self.assertIsNone(found.document["first_wrong"])

    def test_the_systems_openssl_is_told_of_what_it_lacks(self):
        """The same file with OpenSSL 3.0: no ML-KEM; after the cure only its traps are left."""
        env = {"LD_LIBRARY_PATH": openssl_libraries(SYSTEM_OPENSSL)}
        with Lab() as lab:
            world = World(lab, lab.temp / "world")
            found = diagnose(world.path, env=env)
            self.assertEqual(found.first["step"], "groups", str(found))
            self.assertIn("ML-KEM needs OpenSSL 3.5", found.first["text"])
            follow(found.first["cure"], world.path)
            mended = diagnose(world.path, env=env)
            self.assertEqual(mended.returncode, 0, str(mended))
            self.assertIn("older than 3.4", mended.first["text"])
            self.assertIn("qkd_x25519", read(world.path))

    def test_the_file_is_that_of_the_environment_when_none_is_given(self):
        with Lab() as lab:
            done = run_doctor(env={"OPENSSL_CONF": lab.conf("alice")})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(f"'{lab.conf('alice')}' (OPENSSL_CONF) is read", done.stdout)

    def test_the_cause_comes_first_under_the_summary(self):
        with Lab(up=False) as lab:
            done = run_doctor(config=lab.conf_with("alice", remove=("activate",)))
            self.assertEqual(done.returncode, 1)
            summary = done.stdout.split(" not tried\n")[-1]
            self.assertTrue(summary.startswith("providers   wrong"), done.stdout)
            self.assertIn("-> put this line into section [qkd_provider]: activate = 1",
                          summary.splitlines()[1])

    def test_no_key_material_is_printed(self):
        with Lab(up=False) as lab:
            for words in ((), ("--json",)):
                done = run_doctor(*words, config=lab.conf("alice"))
                secret = pathlib.Path(lab.pki("alice")[1]).read_text(encoding="ascii")
                for line in secret.splitlines()[1:-1]:
                    self.assertNotIn(line, done.stdout + done.stderr)

    def test_a_wrong_call_and_help(self):
        for words in (("--colour",), ("alice",), ("--config",)):
            with self.subTest(words=words):
                done = run_doctor(*words)
                self.assertEqual(done.returncode, 2)
                self.assertIn("See 'qkdctl help doctor'", done.stderr)
        text = qkdctl("help", "doctor", check=True).stdout
        for option in ("--config", "--peer-config", "--connect", "--json", "Exit status"):
            self.assertIn(option, text)
        self.assertRegex(qkdctl("help", check=True).stdout, r"qkdctl doctor +walks from")


def openssl_libraries(program):
    """The folder of the libraries of an OpenSSL that is not told by its environment."""
    if program.library_path:
        return program.library_path
    maps = pathlib.Path("/usr/lib")
    for folder in sorted(maps.glob("*/libssl.so.3")):
        return os.fspath(folder.parent)
    return os.fspath(maps)


if __name__ == "__main__":
    unittest.main()
