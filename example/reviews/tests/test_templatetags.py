from sanerunner import TemplateTagTestCase


class StarsTest(TemplateTagTestCase):
    preload = ("reviews",)

    def test_fractions_are_rounded(self):
        for number, drawn in [(5, "★★★★★"), (3.6, "★★★★☆"), (1.2, "★☆☆☆☆"), (9, "★★★★★")]:
            with self.subTest(number=number):
                self.assert_equal(self.render_template("{% stars number %}", number=number), drawn)

    def test_needs_a_number(self):
        with self.assert_raises(self.TemplateSyntaxError):
            self.render_template("{% stars %}")
