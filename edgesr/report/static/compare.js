// Two cut-outs one over the other with a divider, made of the pictures that are on the page.
document.addEventListener("DOMContentLoaded", () => {
  const make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const labelled = (label, input) => make("label", {}, make("span", {}, label), input);

  for (const scene of document.querySelectorAll(".scene")) {
    const tiles = [...scene.querySelectorAll(".tile:not(.overview)")].map((tile) => ({
      kind: tile.classList[1],
      name: tile.querySelector("b").textContent,
      detail: tile.querySelector("figcaption span").textContent,
      image: tile.querySelector("img"),
    }));
    if (tiles.length < 2) continue;
    const { width, height } = tiles[0].image;
    const at = (kind, other) => {
      const found = tiles.findIndex((tile) => tile.kind === kind);
      return found < 0 ? other : found;
    };
    const select = (chosen) => {
      const made = make("select");
      tiles.forEach((tile, index) => made.append(new Option(`${tile.name} · ${tile.detail}`, index)));
      made.selectedIndex = chosen;
      return made;
    };
    const left = select(at("baseline", 0)), right = select(at("candidate", tiles.length - 1));
    const zoom = make("select");
    for (const factor of [1, 2, 4, 8]) zoom.append(new Option(`${factor}×`, factor));
    const slider = make("input", { type: "range", min: 0, max: 100, step: 0.5, value: 50 });
    const pictures = ["under", "over"].map((side) => make("img", { class: side, alt: "", draggable: "false" }));
    const [under, over] = pictures;
    const names = ["from", "to"].map((side) => make("span", { class: `name ${side}`, "aria-hidden": "true" }));
    const stage = make(
      "div",
      { class: "stage", tabindex: 0, role: "img" },
      under,
      make("div", { class: "cover" }, over),
      make("div", { class: "divider" }),
      ...names,
    );
    stage.style.setProperty("--shape", `${width} / ${height}`);
    const view = { x: 0, y: 0 }; // share of the picture left of and above the stage

    const place = () => {
      const factor = Number(zoom.value), most = 1 - 1 / factor;
      view.x = Math.min(Math.max(view.x, 0), most);
      view.y = Math.min(Math.max(view.y, 0), most);
      for (const picture of pictures) {
        picture.style.width = `${100 * factor}%`;
        picture.style.transform = `translate(${-100 * view.x}%, ${-100 * view.y}%)`;
      }
      stage.style.setProperty("--split", `${slider.value}%`);
      stage.classList.toggle("zoomed", factor > 1);
    };
    const change = () => {
      const [a, b] = [tiles[left.value], tiles[right.value]];
      over.src = a.image.src;
      under.src = b.image.src;
      names[0].textContent = a.name;
      names[1].textContent = b.name;
      stage.setAttribute(
        "aria-label",
        `Left of the divider ${a.name}, right of it ${b.name}. Arrow keys move the cut-out when zoomed in.`,
      );
      slider.setAttribute("aria-valuetext", `${Math.round(slider.value)} % ${a.name}, the rest ${b.name}`);
      place();
    };
    const swap = make("button", { type: "button" }, "Swap");
    swap.addEventListener("click", () => {
      [left.selectedIndex, right.selectedIndex] = [right.selectedIndex, left.selectedIndex];
      change();
    });
    for (const input of [left, right, slider]) input.addEventListener("input", change);
    zoom.addEventListener("input", () => {
      const before = view.factor ?? 1, factor = Number(zoom.value);
      view.x += (1 / before - 1 / factor) / 2; // the middle stays
      view.y += (1 / before - 1 / factor) / 2;
      view.factor = factor;
      place();
    });

    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    stage.addEventListener("keydown", (event) => {
      const step = steps[event.key];
      if (!step || zoom.value === "1") return;
      event.preventDefault();
      view.x += (0.15 * step[0]) / zoom.value;
      view.y += (0.15 * step[1]) / zoom.value;
      place();
    });
    // dragged: the divider where all is seen or it is gripped, else the cut-out
    let drag = null;
    stage.addEventListener("pointerdown", (event) => {
      const box = stage.getBoundingClientRect();
      const near = Math.abs((event.clientX - box.left) / box.width - slider.value / 100) < 0.03;
      drag = { x: event.clientX, y: event.clientY, divider: near || zoom.value === "1" };
      stage.setPointerCapture(event.pointerId);
      if (drag.divider) moved(event);
    });
    const moved = (event) => {
      if (!drag) return;
      const box = stage.getBoundingClientRect();
      if (drag.divider) {
        slider.value = (100 * (event.clientX - box.left)) / box.width;
        return change();
      }
      view.x -= (event.clientX - drag.x) / box.width / zoom.value;
      view.y -= (event.clientY - drag.y) / box.height / zoom.value;
      drag.x = event.clientX;
      drag.y = event.clientY;
      place();
    };
    stage.addEventListener("pointermove", moved);
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => (drag = null));

    const controls = make(
      "div",
      { class: "controls" },
      labelled("Left", left),
      labelled("Right", right),
      swap,
      labelled("Zoom", zoom),
    );
    const box = make(
      "div",
      { class: "compare", role: "group", "aria-label": `Compare two cut-outs of ${scene.dataset.title}` },
      controls,
      stage,
      make("label", { class: "split" }, make("span", { class: "unseen" }, "Divider"), slider),
    );
    scene.querySelector("h3").after(box);
    change();
  }

  // the pages of candidates show their pictures where without scripts they link to them
  for (const list of document.querySelectorAll(".looks")) {
    const view = list.closest(".view");
    const fill = () => {
      for (const link of list.querySelectorAll("a")) {
        const image = document.querySelector(`${link.hash} img`);
        if (image) link.prepend(image.cloneNode());
      }
    };
    if (view.classList.contains("current")) fill();
    else view.addEventListener("shown", fill, { once: true });
  }
});
