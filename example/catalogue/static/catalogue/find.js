// The page to find a plant: asks for plants, and notes those that are wanted, by requests of its own.
"use strict";
(() => {
  const form = document.getElementById("find");
  const found = document.getElementById("found");
  const plant = document.getElementById("plant");
  const wishUrl = document.currentScript.dataset.wish;
  const token = form.elements.csrfmiddlewaretoken.value;

  async function want(sku) {
    const body = new URLSearchParams({ sku });
    const headers = { "X-CSRFToken": token };
    const response = await fetch(wishUrl, { method: "POST", headers, body });
    document.getElementById("wishes").textContent = (await response.json()).wishes;
  }

  function row({ sku, name, price }) {
    const item = plant.content.cloneNode(true);
    item.querySelector(".name").textContent = name;
    item.querySelector(".price").textContent = price;
    item.querySelector("button").addEventListener("click", () => want(sku));
    return item;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams({ q: form.elements.q.value });
    const response = await fetch(`${form.action}?${query}`);
    found.replaceChildren(...(await response.json()).plants.map(row));
  });
})();
