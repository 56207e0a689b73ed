// A page of pages: cards, of which those that are out of sight cost nothing.

import { clock, data, make } from "./data";

export function index(): void {
  const pages = data.pages!, list = make("ul", { className: "cards" }), count = make("p", { role: "status" });
  const search = make("input", { type: "search", placeholder: "Search", ariaLabel: "Search by name" });
  const cards = pages.map(([address, title, seconds, words, picture]) => {
    const shown = picture ? make("img", { src: picture, alt: "", loading: "lazy", decoding: "async" }) : make("span", { className: "wave" });
    return make("li", {}, make("a", { href: address }, shown, make("strong", {}, title),
      make("small", {}, [clock(seconds, 0), words].filter(Boolean).join("  ·  "))));
  });
  const find = (): void => {
    const wanted = search.value.toLowerCase();
    let found = 0;
    pages.forEach(([, title], n) => {
      const fits = title.toLowerCase().includes(wanted);
      cards[n]!.hidden = !fits;
      found += Number(fits);
    });
    count.textContent = found === 1 ? "1 file" : `${found} files`;
  };
  search.addEventListener("input", find);
  list.append(...cards);
  document.body.append(make("main", {}, make("header", {}, make("h1", {}, data.title), count, search), list));
  find();
}
