"""Template tags: ``preload`` names the libraries, so that no test needs a ``{% load %}``."""

from decimal import Decimal

from sanerunner import TemplateTagTestCase

from catalogue.factories import PlantFactory


class StockBadgeTest(TemplateTagTestCase):
    preload = ("nursery",)

    def badge(self, **attributes):
        return self.render_template(
            "{% stock_badge plant %}", plant=PlantFactory.build(**attributes)
        )

    def test_sold_out(self):
        self.assert_html_equal(
            self.badge(sold_out=True), '<span class="stock-none">Sold out</span>'
        )

    def test_last_ones(self):
        self.assert_html_equal(
            self.badge(stock=2, reorder_at=5), '<span class="stock-low">Only 2 left</span>'
        )

    def test_enough(self):
        self.assert_html_equal(
            self.badge(stock=6, reorder_at=5), '<span class="stock-good">In stock</span>'
        )

    def test_needs_a_plant(self):
        with self.assert_raises(self.TemplateSyntaxError):
            self.render_template("{% stock_badge %}")


class MoneyFilterTest(TemplateTagTestCase):
    preload = ("nursery",)

    def test_formats_a_price(self):
        self.assert_equal(self.render_template("{{ p|money }}", p=Decimal("4.5")), "€4.50")
