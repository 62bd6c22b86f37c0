# SPDX-License-Identifier: Apache-2.0
"""How the report of `make bench` is made from figures."""
import pathlib
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
from report import markdown, stats, svg  # noqa: E402  (the path is set above)
from report.model import Chart, Claim, Section, Table  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def claim(how="at most", bound=1.25, measured=1.2, number=1, text="a handshake", **more):
    return Claim(number, text, how, bound, measured, **{"arm": "with", "base": "without", **more})


class Statistics(unittest.TestCase):
    def test_percentiles_are_those_of_the_samples_in_microseconds(self):
        one = stats.summary([n * 1000 for n in range(101)])
        self.assertEqual((one["count"], one["p50_us"], one["p90_us"], one["p99_us"]),
                         (101, 50, 90, 99))

    def test_the_rate_is_that_of_one_after_the_other(self):
        self.assertAlmostEqual(stats.summary([1_000_000] * 10)["rate_per_s"], 1000)

    def test_the_two_ratios_are_of_medians_and_of_rounds(self):
        values, base = [10, 20, 90], [10, 40, 30]
        self.assertAlmostEqual(stats.ratio_p50(values, base), 20 / 30)
        self.assertAlmostEqual(stats.ratio_paired(values, base), 1)

    def test_samples_of_other_rounds_cannot_be_paired(self):
        with self.assertRaises(ValueError):
            stats.ratio_paired([1, 2], [1])

    def test_one_sample_has_no_percentiles(self):
        with self.assertRaises(ValueError):
            stats.summary([1])


class Claims(unittest.TestCase):
    def test_a_bound_itself_still_holds(self):
        self.assertTrue(claim(measured=1.25).held)
        self.assertFalse(claim(measured=1.2501).held)
        self.assertTrue(claim("at least", 8, 8).held)
        self.assertFalse(claim("at least", 8, 7.99).held)
        self.assertFalse(claim("exactly", 1.0, 1.001).held)

    def test_a_promise_is_told_by_the_arm_that_did_worst(self):
        text = markdown.promises_table([claim(measured=1.1, arm="good"),
                                        claim(measured=1.3, arm="bad")])
        self.assertIn("bad", text)
        self.assertNotIn("good", text)
        self.assertIn("**fell short** in 1 of 2", text)

    def test_an_arm_that_fell_short_is_worse_than_one_that_held(self):
        text = markdown.promises_table([claim("exactly", 5, 5, arm="good"),
                                        claim("exactly", 5, 4, arm="bad")])
        self.assertIn("| 4 | bad |", text)

    def test_a_measured_figure_is_not_rounded_to_its_bound(self):
        self.assertIn("| 1.251 |", markdown.claims_table([claim(measured=1.2514)]))

    def test_claims_come_in_their_order(self):
        text = markdown.claims_table([claim(number=7, text="later"), claim(text="sooner")])
        self.assertLess(text.index("sooner"), text.index("later"))


class Markdown(unittest.TestCase):
    def test_numbers_stand_right_and_texts_left(self):
        self.assertEqual(markdown.table(("arm", "p50"), [("a", 12345.6), ("b|c", 1)]),
                         "| arm | p50 |\n|---|---:|\n| a | 12,346 |\n| b\\|c | 1 |")

    def test_a_row_that_does_not_fit_its_head_is_refused(self):
        with self.assertRaises(ValueError):
            markdown.table(("arm", "p50"), [("a",)])

    def test_a_document_has_claims_sections_and_charts(self):
        section = Section("One", ["Words.", Table(("x",), [(1,)]), Chart("plot", "what", "<svg/>")],
                          [claim()])
        text = markdown.document(["Where."], [section], "benchmarks")
        for part in ("# Benchmarks", "Where.", "## One", "Words.", "| 1 |",
                     "![what](benchmarks/plot.svg)", "a handshake", "held"):
            self.assertIn(part, text)

    def test_what_could_not_be_measured_says_why(self):
        text = markdown.document([], [Section("One", failed="no TUN device")], "x")
        self.assertIn("**Not measured:** no TUN device", text)


class Svg(unittest.TestCase):
    def parse(self, text):
        return xml.etree.ElementTree.fromstring(text)

    def test_a_bar_is_as_long_as_its_value(self):
        root = self.parse(svg.bars("t", "ms", [("a <&>", 10, 20, 0), ("b", 5, None, 1)]))
        widths = [float(one.get("width")) for one in root.iter(f"{SVG}rect")][1:]
        self.assertAlmostEqual(widths[0] / widths[1], 2, places=2)
        texts = [one.text for one in root.iter(f"{SVG}text")]
        for text in ("a <&>", "10.0 to 20.0", "5.00", "ms"):
            self.assertIn(text, texts)

    def test_everything_of_a_chart_is_inside_it(self):
        for text in (svg.bars("t", "ms", [("a", 3, 999, 0)]),
                     svg.lines("t", "ms", ["0", "1"], [("a", [0.02, 3000], 1)])):
            root = self.parse(text)
            width, height = float(root.get("width")), float(root.get("height"))
            for one in root.iter():
                for name, most in (("x", width), ("x2", width), ("cx", width), ("y", height),
                                   ("y2", height), ("cy", height)):
                    if one.get(name):
                        self.assertTrue(0 <= float(one.get(name)) <= most, one.attrib)

    def test_a_line_is_logarithmic(self):
        root = self.parse(svg.lines("t", "ms", ["0", "1", "2"], [("a", [1, 10, 100], 1)]))
        heights = [float(one.get("cy")) for one in root.iter(f"{SVG}circle")]
        self.assertAlmostEqual(heights[0] - heights[1], heights[1] - heights[2], places=0)

    def test_a_chart_has_colours_for_light_and_dark_pages(self):
        self.assertIn("prefers-color-scheme: dark", svg.bars("t", "", [("a", 1, None, 0)]))

    def test_grid_lines_are_round_and_few(self):
        for largest in (0.03, 1, 7, 10, 99, 12345):
            distance = svg.step(largest)
            self.assertLessEqual(largest / distance, 5.01)
            self.assertIn(f"{distance:e}"[0], "125")


if __name__ == "__main__":
    unittest.main()
