# SPDX-License-Identifier: Apache-2.0
"""The page of the admin side as a person sees it, in Chromium without a window."""
import http.client
import json
import re
import unittest
import urllib.parse

import harness
from browser import Browser
from streams_case import StreamCase

HOSTILE = '<img src=x onerror="document.title=1">'

# The contrast of two colours as WCAG 2 defines it, from what the browser has computed.
CONTRAST = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d");
  const light = (colour) => {
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const part = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const style = getComputedStyle(document.documentElement);
  const of = (name) => light(style.getPropertyValue("--" + name));
  return %s.map(([a, b]) => {
    const [x, y] = [of(a), of(b)].sort((one, other) => other - one);
    return [a + " on " + b, (x + 0.05) / (y + 0.05)];
  });
})()
"""


class PageCase(StreamCase):
    """A page on kme-a of two sites."""

    def page(self, sites, width=1280, height=900, scheme="light"):
        browser = self.enterContext(Browser(width, height, scheme))
        browser.open(sites.kme_a_admin + "/")
        browser.wait_for("document.getElementById('health').textContent === 'keys flow'")
        return browser

    def assert_quiet(self, browser, sites):
        """Nothing was complained about, nobody else was asked for anything."""
        self.assertEqual(browser.complaints, [])
        hosts = {urllib.parse.urlsplit(url).netloc for url in browser.requests
                 if not url.startswith("data:")}
        self.assertEqual(hosts, {urllib.parse.urlsplit(sites.kme_a_admin).netloc})


class Figures(PageCase):
    def test_figures_change_while_keys_are_taken(self):
        sites = self.sites()
        browser = self.page(sites)
        cell = ("[...document.querySelectorAll('#keys tbody tr')].find((row) => "
                "row.innerText.includes('alice')).querySelectorAll('td')[1].innerText")
        browser.wait_for(f"{cell} === '0'")
        sites.reserve(number=7)
        browser.wait_for(f"{cell} === '7'")
        sites.reserve(number=5)
        browser.wait_for(f"{cell} === '12'")
        browser.wait_for("document.querySelectorAll('#links polyline').length === 2")
        level = "document.querySelector('#links .fill svg').getAttribute('aria-label')"
        before = browser.wait_for(f"/Fill level [1-9]/.test({level}) && {level}")
        browser.wait_for(f"{level} !== {json.dumps(before)}")
        self.assertIn("to kme-b", browser.text())
        self.assert_quiet(browser, sites)

    def test_streams_and_errors_are_listed(self):
        sites = self.sites()
        browser = self.page(sites)
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)
        sites.call("alice", "nobody/enc_keys")
        browser.wait_for(f"document.getElementById('streams').innerText.includes('{ksid.hex()[:8]}')")
        browser.wait_for("document.getElementById('errors').innerText.includes("
                         "'the slave SAE in the URL is unknown')")
        browser.wait_for("/004 get_key\\s+1\\b/.test(document.getElementById('requests').innerText)")
        self.assert_quiet(browser, sites)

    def test_the_name_of_an_sae_stays_text(self):
        sites = self.sites(up=False)
        quoted = HOSTILE.replace('"', '\\"')
        sites.edit("kme-a", r"^saes = .*$", f'saes = ( {{ id = "{quoted}"; cn = "alice"; }} );')
        sites.edit("kme-b", r'^( *peer_saes =).*$', rf'\1 ( "{quoted.replace(chr(92), chr(92) * 2)}" );')
        sites.up()
        sites.stock(256)
        self.assertEqual(sites.call("alice", "bob/enc_keys").code, 200)
        self.assertEqual(sites.call("alice", "nobody/enc_keys").code, 400)
        browser = self.page(sites)
        shown = f"includes({json.dumps(HOSTILE)})"
        browser.wait_for(f"document.getElementById('keys').innerText.{shown}")
        browser.wait_for(f"document.getElementById('errors').innerText.{shown}")
        self.assertEqual(browser.value("document.querySelectorAll('img').length"), 0)
        self.assertIn("kme-a", browser.value("document.title"))
        self.assert_quiet(browser, sites)

    def test_it_says_when_the_key_server_is_gone_and_when_it_is_back(self):
        sites = self.sites()
        browser = self.page(sites)
        self.assertFalse(browser.value("document.querySelector('[role=alert]').checkVisibility()"))
        sites.kill("kme-a")
        browser.wait_for("document.querySelector('[role=alert]').checkVisibility()")
        self.assertRegex(browser.text(), r"The key server does not answer: no connection\. "
                                         r"Last answer at \d\d:\d\d:\d\d\.")
        self.assertEqual(browser.value("document.getElementById('health').innerText"), "no answer")
        self.assertEqual(browser.value("getComputedStyle(document.querySelector('main')).opacity"),
                         "0.5")
        sites.start("kme-a")
        browser.wait_for("document.getElementById('health').textContent === 'keys flow'")
        self.assertFalse(browser.value("document.querySelector('[role=alert]').checkVisibility()"))

    def test_a_link_that_is_down_is_told(self):
        sites = self.sites()
        browser = self.page(sites)
        sites.relay.cut()
        browser.wait_for("document.getElementById('health').innerText === "
                         "'no link to peer key server kme-b'")
        self.assertRegex(browser.value("document.getElementById('links').innerText"), r"down for \d")
        browser.wait_for("document.getElementById('errors').innerText.includes('link to kme-b')")


class Looks(PageCase):
    PAIRS = [["text", "ground"], ["text", "card"], ["muted", "ground"], ["muted", "card"],
             ["good", "card"], ["good", "good-bg"], ["bad", "card"], ["bad", "bad-bg"],
             ["warn", "warn-bg"], ["text", "line"]]

    def test_it_fits_narrow_and_wide_windows_in_light_and_dark(self):
        sites = self.sites()
        sites.reserve()
        sites.call("alice", "nobody/enc_keys")
        alice, bob = self.pair(sites)
        self.opened(alice, bob)
        browser = self.page(sites)
        browser.wait_for("document.querySelectorAll('#streams tbody tr').length === 1")
        for scheme in ("light", "dark"):
            for width in (360, 700, 1400):
                browser.look_like(width, 800, scheme)
                self.assertLessEqual(browser.value("document.documentElement.scrollWidth"), width)
                bottom, size = browser.value(
                    "(() => { const word = document.querySelector('.simulated strong');"
                    "return [word.getBoundingClientRect().bottom,"
                    "parseFloat(getComputedStyle(word).fontSize)]; })()")
                self.assertLess(bottom, 400)
                self.assertGreaterEqual(size, 24)
            for pair, contrast in browser.value(CONTRAST % json.dumps(self.PAIRS)):
                self.assertGreaterEqual(contrast, 4.5, (scheme, pair))
        self.assertIn("SIMULATED", browser.text())

    def test_each_chart_has_words_and_each_control_a_key(self):
        sites = self.sites()
        browser = self.page(sites)
        browser.wait_for("document.querySelectorAll('svg').length === 3")
        labels = browser.value("[...document.querySelectorAll('svg')].map((one) => "
                               "one.getAttribute('role') + ' ' + one.getAttribute('aria-label'))")
        for label, words in zip(labels, ("Fill level", "Simulated rate", "keys per second")):
            self.assertTrue(label.startswith("img "), label)
            self.assertIn(words, label)
        focus = "document.activeElement.className || document.activeElement.id"
        browser.press("Tab")
        self.assertEqual(browser.value(focus), "skip")
        browser.press("Tab")
        self.assertEqual(browser.value(focus), "pause")
        self.assertNotEqual(browser.value("getComputedStyle(document.activeElement).outlineStyle"),
                            "none")
        browser.press("Enter")
        self.assertEqual(browser.value("document.activeElement.getAttribute('aria-pressed')"),
                         "true")
        asked = len(browser.requests)
        sites.reserve(number=3)
        browser.value("new Promise((done) => setTimeout(done, 2500))")
        self.assertLessEqual(len(browser.requests), asked + 1)
        browser.press("Enter")
        browser.wait_for("/alice\\s+3\\b/.test(document.getElementById('keys').innerText)")


class Policy(PageCase):
    def test_the_browser_runs_nothing_else_and_asks_nobody_else(self):
        sites = self.sites()
        browser = self.page(sites)
        browser.value(
            "(() => { const script = document.createElement('script');"
            "script.append('document.title = \"taken\"'); document.head.append(script); })()")
        self.assertNotEqual(browser.value("document.title"), "taken")
        other = sites.kme_b_admin
        self.assertEqual(browser.value(f"fetch('{other}/healthz', {{mode: 'no-cors'}})"
                                       ".then(() => 'got it', () => 'refused')"), "refused")
        self.assertTrue(any("Content Security Policy" in one for one in browser.complaints))


class Answers(PageCase):
    def ask(self, sites, method, path, **headers):
        port = urllib.parse.urlsplit(sites.kme_a_admin).port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.LIMIT_S)
        self.addCleanup(connection.close)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def test_the_page_is_small_whole_and_sets_no_cookie(self):
        sites = self.sites()
        code, headers, body = self.ask(sites, "GET", "/")
        self.assertEqual((code, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertLess(len(body), 40000)
        self.assertNotIn("Set-Cookie", headers)
        policy = headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'",
                     "base-uri 'none'", "form-action 'none'"):
            self.assertIn(part, policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual(re.findall(rb"""(?:src|href)\s*=\s*["']?(?:https?:|//)""", body), [])
        self.assertEqual(self.ask(sites, "HEAD", "/")[1]["Content-Length"], str(len(body)))
        for path in ("/", "/state.json"):
            self.assertEqual(self.ask(sites, "POST", path)[0], 405)

    def test_a_name_that_was_made_to_lead_here_gets_nothing(self):
        sites = self.sites()
        for path in ("/", "/state.json"):
            code, _, body = self.ask(sites, "GET", path, Host="rebound.example")
            self.assertEqual(code, 403)
            self.assertNotIn(b"kme-b", body)


if __name__ == "__main__":
    unittest.main()
