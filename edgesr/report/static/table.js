// The table of jobs: sorted by a column, filtered, compact. It is complete without any of this.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.querySelector("#jobs");
  if (!table) return;
  const body = table.tBodies[0], rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const make = (tag, text = "", attributes = {}) => {
    const made = document.createElement(tag);
    made.append(text);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  const number = (cell) =>
    "v" in cell.dataset ? Number(cell.dataset.v.replace("inf", "Infinity")) : null;
  for (const head of heads) {
    const button = make("button", head.textContent, { type: "button" });
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const numeric = head.dataset.sort === "number", column = head.cellIndex;
      const keyed = [...body.rows].map((row) => {
        const cell = row.cells[column];
        return [numeric ? number(cell) : cell.textContent, row];
      });
      const collator = new Intl.Collator(undefined, { numeric: true });
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null); // no number: last
        const less = numeric ? a - b || 0 : collator.compare(a, b); // infinities are equal
        return up ? less : -less;
      });
      body.append(...keyed.map(([, row]) => row));
    });
  }

  const controls = make("form", "", { class: "controls", role: "search" });
  controls.setAttribute("aria-label", "Filter the table of jobs");
  controls.addEventListener("submit", (event) => event.preventDefault());
  const control = (label, input) => {
    const made = make("label", make("span", label));
    made.append(input);
    controls.append(made);
    return input;
  };
  const words = control("Text", make("input", "", { type: "search" }));
  const selects = heads
    .filter((head) => "choice" in head.dataset)
    .map((head) => {
      const column = head.cellIndex;
      const texts = rows.map((row) => row.cells[column].textContent);
      const values = [...new Set(texts)].sort(new Intl.Collator(undefined, { numeric: true }).compare);
      const select = make("select");
      select.append(new Option("all", ""));
      for (const value of values) select.append(new Option(value || "none", `=${value}`));
      if (values.length > 1) control(head.textContent, select);
      return { select, texts };
    });
  const all = make("input", "", { type: "checkbox" });
  const whole = make("label", all, { class: "check" });
  whole.append(" All columns");
  const clear = make("button", "Clear", { type: "reset" });
  const told = make("p", "", { role: "status", "aria-live": "polite", class: "quiet" });
  controls.append(whole, clear);
  table.closest(".scroll").before(controls, told);

  const texts = rows.map((row) => row.textContent.toLowerCase());
  const filter = () => {
    const parts = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      const fits =
        parts.every((part) => texts[index].includes(part)) &&
        selects.every((one) => !one.select.value || one.select.value === `=${one.texts[index]}`);
      if (row.hidden === fits) row.hidden = !fits;
      shown += fits;
    });
    told.textContent = `${shown} of ${rows.length} jobs shown`;
  };
  let waiting;
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  };
  words.addEventListener("input", soon);
  controls.addEventListener("change", filter);
  controls.addEventListener("reset", () => setTimeout(() => {
    table.classList.add("compact");
    filter();
  }));
  all.addEventListener("change", () => table.classList.toggle("compact", !all.checked));
  table.classList.add("compact");
  filter();
});
