"""What ``--verify-rewind`` notices."""

from __future__ import annotations

import unittest
from unittest import mock

from sanerunner.databases.baseline import MIGRATED, Baselines
from sanerunner.databases.operations import Rewound
from sanerunner.exceptions import RewindError


class VerifyTest(unittest.TestCase):
    def rewind(self, found: dict[str, str], *, counters: bool) -> None:
        """Rewind a database whose vendor believes that all is well, and is then ``found``."""
        operations = mock.Mock()
        operations.rewind.return_value = Rewound()
        operations.checksums.return_value = {"shop_category": "as migrated"}
        baselines = Baselines(verify=True)
        with mock.patch("sanerunner.databases.baseline.operations_for", return_value=operations):
            baselines.attach("default")
        operations.checksums.return_value = found
        baselines.rewind(["default"], MIGRATED, counters=counters)

    def test_the_same_content(self) -> None:
        for counters in (True, False):
            self.rewind({"shop_category": "as migrated"}, counters=counters)

    def test_other_content_also_without_counters(self) -> None:
        for counters in (True, False):
            for found in ({"shop_category": "changed"}, {}, {"shop_category": "", "more": ""}):
                with (
                    self.subTest(found, counters=counters),
                    self.assertRaisesRegex(
                        RewindError,
                        "'default' .* migrated state: a comparison .* finds differences",
                    ),
                ):
                    self.rewind(found, counters=counters)
