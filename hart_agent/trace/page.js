"use strict";
(() => {
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const stage = one("#stage");
  const photo = one("#photo");
  const image = { w: Number(photo.dataset.width), h: Number(photo.dataset.height) };
  const cards = all("[data-step]");
  const tags = all(".tag").map((node) => ({ node, x: Number(node.dataset.x), y: Number(node.dataset.y) }));
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const TAG = 20; // CSS pixels that a number takes
  const DEEPEST = 8; // CSS pixels of one original pixel
  let view = { x: 0, y: 0, w: image.w }; // what the stage shows, in original pixels
  let whole = true;
  let step = 0;
  let motion = 0;

  // ---- zoom and pan ----

  const shape = () => Math.max(stage.clientHeight, 1) / Math.max(stage.clientWidth, 1);
  const widest = () => Math.max(image.w, image.h / shape());
  const boxOf = (element) => element.dataset.box.split(" ").map(Number);

  function slide(start, length, limit) {
    return length >= limit ? (limit - length) / 2 : Math.min(Math.max(start, 0), limit - length);
  }

  function show(next) {
    const w = Math.min(Math.max(next.w, stage.clientWidth / DEEPEST), widest());
    const h = w * shape();
    view = { x: slide(next.x, w, image.w), y: slide(next.y, h, image.h), w };
    whole = w >= widest() * 0.999;
    photo.setAttribute("viewBox", `${view.x} ${view.y} ${w} ${h}`);
    stage.classList.toggle("zoomed", !whole);
    one("#out").disabled = one("#whole").disabled = whole;
    placeTags(w / Math.max(stage.clientWidth, 1));
  }

  function placeTags(pixel) { // numbers keep their size on the screen, and never lie on each other
    const taken = [];
    for (const tag of tags) {
      let x = tag.x / pixel;
      const y = tag.y / pixel;
      while (taken.some((other) => Math.abs(other.x - x) < TAG && Math.abs(other.y - y) < TAG)) x += TAG;
      taken.push({ x, y });
      tag.node.setAttribute("transform", `translate(${x * pixel} ${y * pixel}) scale(${pixel})`);
    }
  }

  function glide(target) {
    cancelAnimationFrame(motion);
    if (calm.matches) return show(target);
    const from = view;
    const begin = performance.now();
    const frame = (now) => {
      const t = Math.min((now - begin) / 220, 1);
      const eased = 1 - (1 - t) ** 3;
      const w = from.w * (target.w / from.w) ** eased;
      const share = target.w === from.w ? eased : (from.w - w) / (from.w - target.w);
      show({ x: from.x + (target.x - from.x) * share, y: from.y + (target.y - from.y) * share, w });
      if (t < 1) motion = requestAnimationFrame(frame);
    };
    motion = requestAnimationFrame(frame);
  }

  function around([x0, y0, x1, y1], room) {
    const w = Math.min(Math.max((x1 - x0) * room, ((y1 - y0) * room) / shape(), stage.clientWidth / DEEPEST), widest());
    return { x: (x0 + x1 - w) / 2, y: (y0 + y1 - w * shape()) / 2, w };
  }

  const all_of_it = () => around([0, 0, image.w, image.h], 1);

  function zoom(factor, clientX, clientY) {
    cancelAnimationFrame(motion);
    const frame = stage.getBoundingClientRect();
    const fx = clientX === undefined ? 0.5 : (clientX - frame.left) / frame.width;
    const fy = clientY === undefined ? 0.5 : (clientY - frame.top) / frame.height;
    const w = Math.min(Math.max(view.w / factor, stage.clientWidth / DEEPEST), widest());
    show({ x: view.x + (view.w - w) * fx, y: view.y + (view.w - w) * shape() * fy, w });
  }

  const fingers = new Map();
  let dragged = false;

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (fingers.size === 0) dragged = false;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    const here = { x: event.clientX, y: event.clientY };
    if (others.length === 0) {
      if (!dragged && Math.hypot(here.x - last.x, here.y - last.y) < 4) return;
      if (whole) return;
      const pixel = view.w / stage.clientWidth;
      cancelAnimationFrame(motion);
      show({ x: view.x - (here.x - last.x) * pixel, y: view.y - (here.y - last.y) * pixel, w: view.w });
    } else {
      const apart = (point) => Math.hypot(point.x - others[0].x, point.y - others[0].y);
      zoom(apart(here) / Math.max(apart(last), 1), (here.x + others[0].x) / 2, (here.y + others[0].y) / 2);
    }
    dragged = true;
    stage.classList.add("dragging");
    fingers.set(event.pointerId, here);
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    addEventListener(kind, (event) => {
      fingers.delete(event.pointerId);
      stage.classList.remove("dragging");
    });
  }
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.002)), event.clientX, event.clientY);
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => zoom(2, event.clientX, event.clientY));

  // ---- steps ----

  function go(next, { scroll = true, look = true } = {}) {
    step = Math.min(Math.max(next, 0), cards.length - 1);
    cards.forEach((card, index) => {
      if (index === step) card.setAttribute("aria-current", "step");
      else card.removeAttribute("aria-current");
    });
    for (const region of all(".region")) {
      const mine = Number(region.dataset.turn) === step;
      region.classList.toggle("current", mine);
      if (region.classList.contains("view")) region.style.display = mine ? "" : "none";
    }
    one("#where").textContent = step === 0 ? "Overview" : `Turn ${step} of ${cards.length - 1}`;
    one("#back").disabled = step === 0;
    one("#forth").disabled = step === cards.length - 1;
    const behavior = calm.matches ? "auto" : "smooth";
    if (scroll && step === 0) scrollTo({ top: 0, behavior });
    else if (scroll) cards[step].scrollIntoView({ block: "start", behavior });
    if (look) glide(cards[step].dataset.box ? around(boxOf(cards[step]), 2.5) : all_of_it());
  }

  function look(element) {
    const card = element.closest("[data-step]");
    const turn = Number(card ? card.dataset.step : element.dataset.turn ?? step);
    if (turn !== step) go(turn, { scroll: false, look: false });
    glide(around(boxOf(element), 1.6));
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-look], .region");
    if (target && !(dragged && stage.contains(target))) look(target);
    const heading = event.target.closest("[data-go]");
    if (heading) go(Number(heading.dataset.go), { scroll: false });
  });

  const KEYS = {
    ArrowRight: () => go(step + 1), j: () => go(step + 1), ArrowLeft: () => go(step - 1), k: () => go(step - 1),
    Home: () => go(0), End: () => go(cards.length - 1),
    "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: () => glide(all_of_it()),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const region = event.target.closest?.(".region");
    if (region && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      look(region);
    } else if (Object.hasOwn(KEYS, event.key)) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });
  const BUTTONS = { back: "k", forth: "j", in: "+", out: "-", whole: 0 };
  for (const [id, key] of Object.entries(BUTTONS)) one(`#${id}`).addEventListener("click", () => KEYS[key]());
  one("#theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  // Evidence is in the page once: the crop of the list is laid over the photo, and stands with its turn.
  for (const crop of all("img[data-crop]")) {
    for (const copy of all(`[data-copy="${Number(crop.dataset.crop)}"]`)) {
      copy.setAttribute(copy.localName === "image" ? "href" : "src", crop.getAttribute("src"));
    }
  }
  one("#bar").hidden = false;
  new ResizeObserver(() => show(whole ? all_of_it() : view)).observe(stage);
  show(all_of_it());
  go(0, { scroll: false, look: false });
})();
