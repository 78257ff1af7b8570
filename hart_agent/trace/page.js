"use strict";
(() => {
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const cards = all("[data-step]");
  const viewer = new Viewer(one("#stage"));
  let step = 0;

  function go(next, { scroll = true, look = true } = {}) {
    step = Math.min(Math.max(next, 0), cards.length - 1);
    cards.forEach((card, index) => {
      if (index === step) card.setAttribute("aria-current", "step");
      else card.removeAttribute("aria-current");
    });
    viewer.mark(step);
    one("#where").textContent = step === 0 ? "Overview" : `Turn ${step} of ${cards.length - 1}`;
    one("#back").disabled = step === 0;
    one("#forth").disabled = step === cards.length - 1;
    const behavior = viewer.calm.matches ? "auto" : "smooth";
    if (scroll && step === 0) scrollTo({ top: 0, behavior });
    else if (scroll) cards[step].scrollIntoView({ block: "start", behavior });
    if (!look) return;
    if (cards[step].dataset.box) viewer.fly(boxOf(cards[step]), 0.25);
    else viewer.whole();
  }

  function look(element) {
    const card = element.closest("[data-step]");
    const turn = Number(card ? card.dataset.step : element.dataset.turn);
    if (turn !== step) go(turn, { scroll: false, look: false });
    viewer.fly(boxOf(element));
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-look]");
    if (target) look(target);
    const heading = event.target.closest("[data-go]");
    if (heading) go(Number(heading.dataset.go), { scroll: false });
  });
  viewer.stage.addEventListener("choose", (event) => look(event.target));

  const KEYS = {
    ...Viewer.KEYS,
    ArrowRight: () => go(step + 1), j: () => go(step + 1), ArrowLeft: () => go(step - 1), k: () => go(step - 1),
    Home: () => go(0), End: () => go(cards.length - 1),
  };
  addEventListener("keydown", (event) => viewer.press(event, KEYS));
  one("#back").addEventListener("click", () => go(step - 1));
  one("#forth").addEventListener("click", () => go(step + 1));

  // Each picture is in the page once: where it stands in the text. It is laid over the photo, too.
  for (const picture of all("img[data-crop]")) {
    for (const copy of all(`[data-copy="${Number(picture.dataset.crop)}"]`)) {
      copy.setAttribute(copy.localName === "image" ? "href" : "src", picture.getAttribute("src"));
    }
  }
  wire(viewer);
  one("#bar").hidden = false;
  const { width, height } = viewer.drawing.dataset;
  viewer.open({ width: Number(width), height: Number(height) });
  viewer.show(all("[data-region]").map((element) => ({
    box: boxOf(element), name: element.dataset.name, kind: element.dataset.region,
    step: Number(element.closest("[data-step]")?.dataset.step ?? element.dataset.turn),
  })));
  go(0, { scroll: false, look: false });
})();
