for (const head of document.querySelectorAll("th")) head.firstChild.addEventListener("click", () => {
  const up = head.getAttribute("aria-sort") !== "ascending", at = head.cellIndex, body = head.closest("table").tBodies[0];
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = row => { const v = row.cells[at].dataset.order; return v === undefined ? null : Number(v); };
  const text = row => row.cells[at].textContent;
  [...body.rows].sort((a, b) => {
    const x = key(a), y = key(b);
    if (x === null || y === null) return x === y ? (up ? 1 : -1) * text(a).localeCompare(text(b)) : x === null ? 1 : -1;
    return (up ? 1 : -1) * (x - y);
  }).forEach(row => body.append(row));
});
