# SPDX-License-Identifier: Apache-2.0
"""The module of the wrong major, and two libcryptos in one process."""
import subprocess

import harness

# Debian's Python and its libcrypto, with another libcrypto opened beside it.
PYTHON = "/usr/bin/python3"
TWO_LIBCRYPTOS = r"""
import ctypes, socket, ssl, sys
path, libssl, modules, port, ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)      # the system's libcrypto has read openssl.cnf
other = ctypes.CDLL(path)                            # and now this one reads it
other.OPENSSL_init_crypto.argtypes = [ctypes.c_uint64, ctypes.c_void_p]
other.OPENSSL_init_crypto(0x40, None)
other.OSSL_PROVIDER_available.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
print("other has qkd:", other.OSSL_PROVIDER_available(None, b"qkd"))
ctypes.CDLL(libssl)                                  # which the module needs, too
other.OSSL_LIB_CTX_new.restype = ctypes.c_void_p
library = ctypes.c_void_p(other.OSSL_LIB_CTX_new())  # which reads no file
other.OSSL_PROVIDER_set_default_search_path(library, modules.encode())
other.OSSL_PROVIDER_load.restype = ctypes.c_void_p
own = other.OSSL_PROVIDER_load(library, b"qkd")
print("other with its own module:", bool(own) and other.OSSL_PROVIDER_available(library, b"qkd"))
with socket.create_connection(("127.0.0.1", int(port))) as tcp:
    with context.wrap_socket(tcp, server_hostname="localhost") as tls:
        print("own handshake:", tls.version())
other.OSSL_PROVIDER_unload(ctypes.c_void_p(own))
other.OSSL_LIB_CTX_free(library)
"""


def refusal(module_major, at):
    return (f"this qkd.so is built for OpenSSL {module_major} (libcrypto.so.{module_major}), and this "
            f"program runs OpenSSL {at.name}; install the qkd.so that is built for OpenSSL {at.major}")


def openssl(at, library_paths, *words, conf=None):
    """Runs this openssl with libraries of another one in reach."""
    env = at.env(conf, "info")
    env["LD_LIBRARY_PATH"] = ":".join(path for path in (at.library_path, *library_paths) if path)
    return subprocess.run([at.program, *words], env=env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=harness.LIMIT_S, check=False)


def loads(at, module_of):
    """openssl list with the module of that installation: the CompletedProcess."""
    return openssl(at, [module_of.library_path], "list", "-providers", "-provider-path",
                   str(module_of.modules), "-provider", "qkd", "-provider", "default",
                   conf="/dev/null")


def check_load(report, at, module_of):
    done = loads(at, module_of)
    if at.major == module_of.major:
        ok = done.returncode == 0 and "QKD hybrid key exchange" in done.stdout
        cell = "loads"
    else:
        # Once in the log, once on the queue, and never initialised by the second libcrypto.
        ok = (done.returncode != 0 and done.stderr.count(refusal(module_of.major, at)) == 2 and
              done.stderr.count("not loaded:") == 1 and "QKD hybrid" not in done.stdout)
        cell = "refuses"
    if not ok:
        report.fail(f"module for {module_of.major} in OpenSSL {at.name}", done.stdout + done.stderr)
    return cell if ok else "FAILED"


def check_shipped_conf(report, lab, at, module_of):
    """The laboratory's openssl.cnf with the wrong module: no handshake where config_diagnostics
    exists. A server that would take X25519 stands ready."""
    with harness.Server(lab, "-groups", "X25519", conf="/dev/null", openssl=at) as server:
        done = openssl(at, [module_of.library_path], "s_client", "-connect",
                       f"127.0.0.1:{server.port}", "-tls1_3",
                       conf=at.conf(lab, "alice", modules=module_of.modules))
    connected = "New, TLSv1.3" in done.stdout
    if refusal(module_of.major, at) not in done.stderr or connected == at.has_diagnostics:
        report.fail(f"shipped openssl.cnf with the module for {module_of.major} in {at.name}",
                    done.stdout + done.stderr)
        return "FAILED"
    return "X25519 without QKD, see the log" if connected else "no TLS at all"


def check_two_libcryptos(report, lab, system, other):
    """One process, one openssl.cnf: the provider works in the libcrypto that it was built for, and
    refuses the other; that one takes the module of its own major beside it."""
    conf = system.conf(lab, "alice", groups="qkd_x25519")
    with harness.Server(lab, "-groups", "qkd_x25519", conf=system.conf(lab, "bob"),
                        openssl=system) as server:
        libraries = [f"{other.library_path}/{name}.so.{other.major}"
                     for name in ("libcrypto", "libssl")]
        done = subprocess.run([PYTHON, "-I", "-c", TWO_LIBCRYPTOS, *libraries, str(other.modules),
                               str(server.port), lab.ca], env=system.env(conf, "info"),
                              capture_output=True, text=True, timeout=harness.LIMIT_S, check=False)
        at_server = harness.handshake_keys(server.log())
    at_client = harness.handshake_keys(done.stderr)
    if (done.returncode != 0 or done.stdout.splitlines() !=
            ["other has qkd: 0", "other with its own module: 1", "own handshake: TLSv1.3"] or
            len(at_client) != 1 or
            [key[2] for key in at_client] != [key[2] for key in at_server] or
            done.stderr.count(" info loaded version ") != 1 or
            done.stderr.count(refusal(system.major, other)) != 1):
        report.fail(f"libcrypto {system.name} and {other.name} in one process",
                    f"{done.stdout}{done.stderr}")
        return
    report.say(f"\nlibcrypto {system.name} and {other.name} in one process, one openssl.cnf: the "
               f"first has the provider and makes a handshake; the second refuses that module, and "
               f"takes the one of its own major")


def run(report, installations):
    """Every module in every version."""
    by_major = {one.major: one for one in installations}
    rows = []
    with harness.Lab() as lab:
        for at in installations:
            row = [at.name] + [check_load(report, at, by_major[major]) for major in by_major]
            wrong = [one for major, one in by_major.items() if major != at.major]
            row += [check_shipped_conf(report, lab, at, one) for one in wrong]
            rows.append(row + [""] * (len(by_major) + 1 - len(row)))
        report.table("One module for each major of libcrypto",
                     ["OpenSSL"] + [f"module for {major}" for major in by_major] +
                     (["wrong module, openssl.cnf of the laboratory"] if len(by_major) > 1 else []),
                     rows)
        system = next((one for one in installations if str(one.prefix) == "/usr"), None)
        other = next((one for one in installations if system and one.major != system.major), None)
        if other:
            check_two_libcryptos(report, lab, system, other)
        else:
            report.say("\nnot run: two libcryptos in one process: no second major")
