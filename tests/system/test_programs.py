# SPDX-License-Identifier: Apache-2.0
"""docs/programs.md says what the tests of the recipes prove, and leaves nothing empty."""
import pathlib
import re
import unittest

from harness import ROOT
from recipe import EXAMPLES, FLOWS, blocks

TESTS = pathlib.Path(__file__).parent
CELL = re.compile(r"works(, .+)?|cannot: .+")


def rows():
    text = (ROOT / "docs" / "programs.md").read_text(encoding="utf-8")
    table = re.search(r"^\|---.*\n((?:\|.*\n)*)", text, re.M)[1]
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in table.splitlines()]


class Programs(unittest.TestCase):
    def test_every_cell_is_filled_and_every_row_has_its_test(self):
        for program, side, openssl, *cells in rows():
            with self.subTest(program=program, side=side, openssl=openssl):
                self.assertEqual(len(cells), len(FLOWS))
                for cell in cells:
                    self.assertRegex(cell, rf"^(?:{CELL.pattern})$")
                folder = re.split(r"\W", program.lower())[0]
                test = (TESTS / f"test_app_{folder}.py").read_text(encoding="utf-8")
                method = f"test_{re.split(r'[^a-z]', side)[0]}_on_{openssl.replace('.', '')}"
                self.assertIn(f"def {method}", test)

    def test_every_recipe_has_rows_and_blocks_to_run(self):
        programs = {re.split(r"\W", row[0].lower())[0] for row in rows()}
        for folder in EXAMPLES.iterdir():
            if not folder.is_dir() or not (TESTS / f"test_app_{folder.name}.py").exists():
                continue
            with self.subTest(folder=folder.name):
                self.assertIn(folder.name, programs)
                self.assertTrue(blocks(folder.name))
