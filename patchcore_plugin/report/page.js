// Comfort only: filter, sort, enlarge. Everything can be read without it.
(() => {
  const form = document.querySelector(".controls");
  const cards = [...document.querySelectorAll("#parts .card")];
  const [search, filter, sort, shown] = ["search", "filter", "sort", "shown"].map((id) => document.getElementById(id));

  const fits = (card) => {
    const [key, wanted] = filter.value.split("=");
    return card.dataset.name.toLowerCase().includes(search.value.trim().toLowerCase()) && (!key || card.dataset[key] === wanted);
  };
  const order = (a, b) => {
    if (sort.value === "name") return a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true });
    return (a.dataset.rank - b.dataset.rank) * (sort.value === "rank" ? 1 : -1);
  };
  const update = () => {
    let visible = 0;
    for (const card of cards) visible += !(card.hidden = !fits(card));
    for (const group of document.querySelectorAll("#parts .cards")) {
      group.append(...[...group.children].sort(order));
      group.hidden = group.previousElementSibling.hidden = ![...group.children].some((card) => !card.hidden);
    }
    shown.textContent = `${visible} of ${cards.length} with pictures`;
  };
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  update();

  const dialog = document.getElementById("large");
  const [large, caption, close] = dialog.children;
  for (const pair of document.querySelectorAll(".pair")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pair";
    button.setAttribute("aria-label", "Enlarge " + pair.parentElement.dataset.name);
    button.append(...pair.children);
    pair.replaceWith(button);
    button.addEventListener("click", () => {
      large.replaceChildren(...[...button.children].map((picture) => picture.cloneNode()));
      caption.textContent = `#${button.parentElement.dataset.rank}  ${button.parentElement.dataset.name}`;
      dialog.showModal();
    });
  }
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
})();
