// Sorting only: the table is complete without it.
for (const head of document.querySelectorAll("#jobs thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const column = head.cellIndex, numeric = head.dataset.sort === "number";
    const value = (row) => {
      const cell = row.cells[column];
      if (!numeric) return cell.textContent;
      return "v" in cell.dataset ? Number(cell.dataset.v.replace("inf", "Infinity")) : null;
    };
    const body = document.querySelector("#jobs tbody");
    const order = (a, b) => {
      const x = value(a), y = value(b);
      if (x === null || y === null) return (x === null) - (y === null); // no number: last
      const less = numeric ? x - y : x.localeCompare(y, undefined, { numeric: true });
      return up ? less : -less;
    };
    body.append(...[...body.rows].sort(order));
  });
}
