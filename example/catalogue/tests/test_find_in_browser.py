"""The page to find a plant, in a real browser: the same, driven by Selenium and by Playwright."""

from sanerunner import PlaywrightTestCase, SeleniumTestCase

from catalogue.factories import PlantFactory


class FindWithSeleniumTest(SeleniumTestCase):
    flush_django_cache = True

    @classmethod
    def setUpTestData(cls):
        cls.fern = PlantFactory(name="Fern")
        PlantFactory(name="Moss")

    def find(self, text):
        self.open("/find/")
        self.wait_for("[name=q]").send_keys(text)
        self.wait_for("#find button").click()
        self.wait_for("#found li")
        return [name.text for name in self.selenium.find_elements("css selector", "#found .name")]

    def wishes(self):
        return self.selenium.find_element("id", "wishes").text

    def test_plants_are_found(self):
        self.assert_equal(self.find("fern"), ["Fern"])

    def test_a_wish_is_counted(self):
        self.find("fern")
        self.wait_for("#found button").click()
        self.wait_until(lambda: self.wishes() == "1", "the wish to be counted")

    def test_the_next_test_has_no_wishes(self):
        self.open("/find/")
        self.assert_equal(self.wishes(), "0")


class FindWithPlaywrightTest(PlaywrightTestCase):
    flush_django_cache = True

    def test_what_the_test_commits_is_found(self):
        PlantFactory(name="Fern")
        self.page.goto("/find/")
        PlantFactory(name="Tree fern")
        self.page.fill("[name=q]", "fern")
        self.page.click("#find button")
        self.page.locator("#found li").nth(1).wait_for()
        self.assert_equal(
            self.page.locator("#found .name").all_inner_texts(), ["Fern", "Tree fern"]
        )

    def test_a_wish_is_counted(self):
        PlantFactory(name="Fern")
        self.page.goto("/find/")
        self.page.fill("[name=q]", "fern")
        self.page.click("#find button")
        self.page.click("#found button")
        self.wait_until(lambda: self.page.inner_text("#wishes") == "1", "the wish to be counted")
