// In Cypress's support file: commands, and a reset before each test.

import "./cypress-commands.js";

beforeEach(() => {
  cy.saneReset();
});
