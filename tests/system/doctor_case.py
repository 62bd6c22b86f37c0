# SPDX-License-Identifier: Apache-2.0
"""What the tests of qkdctl doctor share: running it, breaking a file, applying a printed cure."""
import json
import pathlib
import re
import subprocess

from harness import LIMIT_S, QKDCTL, HarnessError, OPENSSL35, child_env, wait_until

RANK = {"wrong": 0, "warning": 1, "not tried": 2, "ok": 3}


class Diagnosis:
    """What qkdctl doctor --json said: returncode, document, findings, first (the first wrong
    finding, else the first warning, else None)."""

    def __init__(self, done):
        self.returncode = done.returncode
        self.stderr = done.stderr
        try:
            self.document = json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise HarnessError(f"no JSON: {error}\n{done.stdout}{done.stderr}") from None
        self.findings = self.document["findings"]
        serious = [one for one in self.findings if RANK[one["outcome"]] < RANK["not tried"]]
        self.first = min(serious, key=lambda one: RANK[one["outcome"]], default=None)

    def outcome(self, step):
        """The worst outcome of a step."""
        return min((one["outcome"] for one in self.findings if one["step"] == step),
                   key=RANK.get)

    def __str__(self):
        return f"exit {self.returncode}\n{json.dumps(self.document, indent=1)}{self.stderr}"


def run_doctor(*words, config=None, env=None):
    """qkdctl doctor; the CompletedProcess with text output."""
    command = [str(QKDCTL), "doctor", *map(str, words)]
    if config is not None:
        command += ["--config", str(config)]
    return subprocess.run(command, env=child_env(**(env or {})), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=3 * LIMIT_S, check=False)


def diagnose(config, *words, env=None):
    return Diagnosis(run_doctor("--json", *words, config=config, env=env))


# --- files ---------------------------------------------------------------------------------

def read(path):
    return pathlib.Path(path).read_text(encoding="utf-8")


def write(path, text):
    pathlib.Path(path).write_text(text, encoding="utf-8")


def replace(path, old, new, count=1):
    """Replaces a text that must be there."""
    text = read(path)
    if old not in text:
        raise HarnessError(f"{path} does not have {old!r}")
    write(path, text.replace(old, new, count))


def _section_of(path, name):
    """(before, lines, after) of a section; lines without its head."""
    text = read(path)
    start = re.search(rf"^\[\s*{re.escape(name)}\s*\]\n", text, re.M)
    if start is None:
        raise HarnessError(f"{path} has no section [{name}]")
    end = re.search(r"^\[", text[start.end():], re.M)
    stop = start.end() + end.start() if end else len(text)
    return text[:start.end()], text[start.end():stop], text[stop:]


def _set_line(text, line):
    """The text with the line of this name replaced, or put in first."""
    name = line.split("=")[0].strip()
    kept = re.sub(rf"^{re.escape(name)}\s*=.*\n", "", text, flags=re.M)
    return line + "\n" + kept


def set_in_section(path, section, line):
    before, lines, after = _section_of(path, section)
    write(path, before + _set_line(lines, line) + after)


def remove_in_section(path, section, name):
    before, lines, after = _section_of(path, section)
    shorter = re.sub(rf"^{re.escape(name)}\s*=.*\n", "", lines, flags=re.M)
    if shorter == lines:
        raise HarnessError(f"[{section}] has no line {name}")
    write(path, before + shorter + after)


# --- cures ---------------------------------------------------------------------------------

def _put_into(path, match):
    set_in_section(path, match[1], match[2])


def _replace_in(path, match):
    remove_in_section(path, match[1], match[2])
    set_in_section(path, match[1], match[3])


def _remove_in(path, match):
    remove_in_section(path, match[1], match[2])


def _put_on_top(path, match):
    head, separator, rest = read(path).partition("\n[")
    write(path, _set_line(head + "\n", match[1]) + separator + rest)


def _move_to_top(path, match):
    text = read(path)
    write(path, match[1] + "\n" + text.replace(match[1] + "\n", ""))


def _add_section(path, match):
    set_in_section(path, match[2], match[1])
    write(path, read(path) + f"\n[{match[3]}]\n{match[4]}\n")


def _mend_line(path, match):
    lines = read(path).splitlines(keepends=True)
    del lines[int(match[1]) - 1]
    write(path, "".join(lines))


def _run(path, match):
    del path
    subprocess.run(match[1].split(), check=True, timeout=LIMIT_S)


# The forms that cures come in, and how somebody follows them to the letter.
_FORMS = (
    (r"put '(.+ = .+)' into section \[(.+?)\] and add the section: \[(.+?)\] (.+)$", _add_section),
    (r"move the line '(.+)' to the top of the file", _move_to_top),
    (r"put this line at the top of the file, above the first \[section\]: (.+)$", _put_on_top),
    (r"above the first \[section\] write the line as: (.+)$", _put_on_top),
    (r"in section \[(.+?)\] replace '(.+?)' by: (.+)$", _replace_in),
    (r"in section \[(.+?)\] (?:mend or )?remove the line: (.+)$", _remove_in),
    (r"put this line into section \[(.+?)\](?:, [^:]+)?: (.+)$", _put_into),
    (r"write in section \[(.+?)\]: (.+)$", _put_into),
    (r"in section \[(.+?)\] write the line as: (.+)$", _put_into),
    (r"mend line (\d+) of ", _mend_line),
    (r"^(chmod \S+ \S+)$", _run),
)


def follow(cure, path):
    """Does to the file what the cure says, to the letter; HarnessError when no form fits."""
    for form, function in _FORMS:
        match = re.search(form, cure)
        if match:
            function(path, match)
            return
    raise HarnessError(f"nobody could follow this: {cure!r}")


# --- certificates --------------------------------------------------------------------------

def openssl(*words):
    env = OPENSSL35.env(OPENSSL_CONF="/dev/null")
    done = subprocess.run([OPENSSL35.program, *map(str, words)], env=env, capture_output=True,
                          text=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise HarnessError(f"openssl {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def issue(lab, folder, name, *dates, purpose="clientAuth"):
    """(certificate, key) for an SAE from the laboratory's CA; dates are options of x509."""
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    cert, key, request, config = (folder / f"{name}{end}"
                                  for end in (".pem", ".key", ".csr", ".ext"))
    config.write_text(f"[req]\nprompt = no\ndistinguished_name = dn\n[dn]\nCN = {name}\n"
                      f"[ext]\nextendedKeyUsage = {purpose}\nsubjectAltName = DNS:{name}\n",
                      encoding="utf-8")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-config", config, "-keyout", key, "-out", request)
    ca_cert, ca_key = lab.pki("ca")
    openssl("x509", "-req", "-in", request, "-CA", ca_cert, "-CAkey", ca_key, "-out", cert,
            "-extfile", config, "-extensions", "ext", *dates)
    key.chmod(0o600)
    return str(cert), str(key)


def past(days_from, days_until):
    """Options for a certificate that is valid between two days, counted from now."""
    import datetime
    now = datetime.datetime.now(datetime.timezone.utc)
    stamps = [(now + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")
              for days in (days_from, days_until)]
    return "-not_before", stamps[0], "-not_after", stamps[1]


__all__ = [name for name in dir() if not name.startswith("_")] + ["wait_until"]
