"""``translation_language_code`` is the language that is active while a test runs."""

from decimal import Decimal

from django.utils.translation import get_language
from sanerunner import TemplateTagTestCase, UnitTestCase

from catalogue.factories import PlantFactory
from catalogue.models import Plant
from catalogue.money import NO_BREAK_SPACE, format_price


class CzechTest(UnitTestCase):
    make_translations = True
    translation_language_code = "cs"

    def test_is_the_active_language(self):
        self.assert_equal(get_language(), "cs")

    def test_price_has_a_comma_and_the_sign_behind(self):
        self.assert_equal(format_price(Decimal("12.5")), f"12,50{NO_BREAK_SPACE}€")

    def test_names_of_models(self):
        self.assert_equal(str(Plant._meta.verbose_name_plural), "rostliny")


class CzechStockBadgeTest(TemplateTagTestCase):
    preload = ("nursery",)
    make_translations = True
    translation_language_code = "cs"

    def test_czech_has_three_plurals(self):
        for stock, text in [
            (1, "Zbývá jen 1 kus"),
            (3, "Zbývají jen 3 kusy"),
            (5, "Zbývá jen 5 kusů"),
        ]:
            with self.subTest(stock=stock):
                plant = PlantFactory.build(stock=stock)
                self.assert_in(text, self.render_template("{% stock_badge plant %}", plant=plant))


class EnglishAgainTest(UnitTestCase):
    def test_no_language_is_left_over(self):
        self.assert_equal(get_language(), "en")
