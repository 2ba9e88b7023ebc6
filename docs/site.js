// Wide tables scroll sideways: with the keyboard as well. The search and the menus of code have names.
document$.subscribe(() => {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  document.querySelectorAll(".md-typeset__scrollwrap").forEach((wrap, k) => {
    wrap.tabIndex = 0;
    wrap.setAttribute("role", "region");
    wrap.setAttribute("aria-label", `Table ${k + 1}`);
  });
  const name = () =>
    document.querySelectorAll(".md-code__nav").forEach((nav, k) => nav.setAttribute("aria-label", `Code ${k + 1}`));
  name();
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
});
