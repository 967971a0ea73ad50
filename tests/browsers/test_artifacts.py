"""The folder of what is kept of failed tests."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from sanerunner.browsers.artifacts import LONGEST, ArtifactFolder, folder_name
from sanerunner.browsers.base import Artifact


class FolderTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "artifacts"

    def save(self, test_id: str = "shop.tests.CartTest.test_add") -> list[str]:
        paths = ArtifactFolder(self.root).save(test_id, [Artifact("a.txt", b"a")])
        return [str(path.relative_to(self.root)) for path in paths]

    def test_files_are_in_a_folder_with_the_name_of_the_test(self) -> None:
        self.assertEqual(self.save(), ["shop.tests.CartTest.test_add/a.txt"])
        self.assertEqual((self.root / self.save()[0]).read_bytes(), b"a")

    def test_a_second_attempt_has_its_own(self) -> None:
        self.save()
        self.assertEqual(self.save(), ["shop.tests.CartTest.test_add-2/a.txt"])
        self.assertEqual(self.save(), ["shop.tests.CartTest.test_add-3/a.txt"])

    def test_git_does_not_see_it(self) -> None:
        self.save()
        self.assertIn("\n*\n", (self.root / ".gitignore").read_text(encoding="utf-8"))

    def test_it_is_emptied(self) -> None:
        self.save()
        ArtifactFolder(self.root).clear()
        self.assertEqual([path.name for path in self.root.iterdir()], [".gitignore"])
        self.assertEqual(self.save(), ["shop.tests.CartTest.test_add/a.txt"])

    def test_a_folder_that_was_there_is_left_alone(self) -> None:
        precious = self.root / "precious"
        precious.mkdir(parents=True)
        self.save()
        ArtifactFolder(self.root).clear()
        self.assertTrue(precious.is_dir())
        self.assertFalse((self.root / ".gitignore").exists())
        self.assertEqual(self.save(), ["shop.tests.CartTest.test_add-2/a.txt"])

    def test_nothing_to_empty(self) -> None:
        ArtifactFolder(self.root).clear()
        self.assertFalse(self.root.exists())


class NameTest(unittest.TestCase):
    def test_what_file_systems_do_not_take(self) -> None:
        self.assertEqual(folder_name("a.B.test_x (i=1) [a/b]:ü"), "a.B.test_x_(i=1)_a_b")
        self.assertEqual(folder_name("../../etc"), "etc")
        self.assertEqual(folder_name("…"), "test")

    def test_long_names_stay_apart(self) -> None:
        names = {folder_name("x" * 300 + end) for end in "ab"}
        self.assertEqual(len(names), 2)
        self.assertEqual({len(name) for name in names}, {LONGEST})
