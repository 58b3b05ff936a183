// One page at a time, by the address's fragment; without scripts all stand one below the other.
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  const first = document.querySelector(".view");
  const links = [...document.querySelectorAll("header nav a")];
  const target = () => {
    try {
      return document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return null; // no valid fragment
    }
  };
  const show = (moved) => {
    const wanted = target();
    if (wanted && wanted.id === "main") return wanted.focus();
    const view = wanted?.closest(".view") ?? first;
    for (const other of document.querySelectorAll(".view.current")) other.classList.remove("current");
    view.classList.add("current");
    const parent = view.querySelector(".back a")?.hash ?? `#${view.id}`;
    for (const link of links) {
      if (link.hash === parent) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const heading = view.querySelector("h2");
    document.title = view === first ? "edgesr report" : `${heading.textContent} · edgesr report`;
    view.dispatchEvent(new Event("shown"));
    if (!moved) return;
    const inside = wanted && wanted !== view ? wanted : null;
    const focused = inside?.querySelector("h3") ?? inside ?? heading;
    if (!focused.hasAttribute("tabindex")) focused.tabIndex = -1;
    focused.focus({ preventScroll: true });
    if (inside) inside.scrollIntoView();
    else scrollTo(0, 0);
  };
  addEventListener("hashchange", () => show(true));
  show(Boolean(target()));
});
