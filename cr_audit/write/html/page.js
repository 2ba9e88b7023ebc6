"use strict";
(() => {
  const all = (what, where) => Array.from((where || document).querySelectorAll(what));
  const make = (tag, kind, words) => {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (words) made.textContent = words;
    return made;
  };
  const said = make("p", "hidden");
  said.setAttribute("role", "status");
  document.body.append(said);

  // A field that calls back with what stands in it, in lower case.
  let fields = 0;
  const field = (label, change) => {
    const box = make("div", "find"), input = make("input"), count = make("span", "note");
    const name = make("label", "", label);
    input.type = "search";
    input.id = "find" + ++fields;
    name.htmlFor = input.id;
    count.setAttribute("role", "status");
    input.addEventListener("input", () => {
      count.textContent = change(input.value.trim().toLowerCase());
    });
    box.append(name, input, count);
    return box;
  };

  // Rows and findings that hold what is looked for; a row may be hidden by two fields.
  const hide = (item, by, off) => {
    item.dataset[by] = off ? "1" : "";
    item.hidden = item.dataset.page === "1" || item.dataset.own === "1";
  };
  const filter = (items, by, words, noun) => {
    let n = 0;
    for (const item of items) {
      const on = !words || item.textContent.toLowerCase().includes(words);
      n += on ? 1 : 0;
      hide(item, by, !on);
    }
    return words ? n + " of " + items.length + " " + noun : "";
  };

  const main = document.getElementById("report");
  const found = all("tbody tr, .finding", main);
  if (found.length > 8) {
    const box = field("Find in this report", (w) => {
      main.classList.toggle("looking", Boolean(w));
      for (const more of all("details.more", main)) more.open = Boolean(w);
      const told = filter(found, "page", w, "rows and findings");
      for (const group of all(".alike", main)) {
        group.hidden = !group.querySelector(".finding:not([hidden])");
      }
      return told;
    });
    const first = main.querySelector(".card");
    if (first) main.insertBefore(box, first);
  }

  // Of long lists the first few, until all are asked for or something is looked for.
  function shorten(list, before, n, first, noun) {
    const box = make("p", "note"), button = make("button", "small"), words = make("span");
    button.type = "button";
    const set = (short) => {
      list.classList.toggle("short", short);
      words.textContent = short ? "The first " + first + " of these " + n + " " + noun + ". " : "";
      button.textContent = short ? "Show all " + n : "Show the first " + first;
    };
    button.addEventListener("click", () => set(!list.classList.contains("short")));
    set(true);
    box.append(words, button);
    before.after(box);
  }
  for (const table of all("table", main)) {
    const rows = all("tbody tr", table);
    if (rows.length > 15) {
      const box = field("Filter rows", (w) => {
        table.classList.toggle("looking", Boolean(w));
        return filter(rows, "own", w, "rows");
      });
      table.parentElement.before(box);
    }
    if (rows.length > 30) shorten(table, table.parentElement, rows.length, 25, "rows");
    if (rows.length < 3) continue;
    all("thead tr > *", table).forEach((head, column) => {
      if (head.tagName !== "TH" || !head.textContent.trim()) return;
      const button = make("button", "", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => sort(table, head, column));
    });
  }
  const key = (row, column) => {
    const cell = row.children[column];
    const raw = cell.dataset.v || cell.textContent.trim();
    const number = /^[-+\u2212]?[\d,]*\.?\d+(e[-+]?\d+)?%?$/i.test(raw)
      ? parseFloat(raw.replace(/,/g, "").replace("\u2212", "-")) : NaN;
    return Number.isNaN(number) ? raw.toLowerCase() : number;
  };
  function sort(table, head, column) {
    const down = head.getAttribute("aria-sort") === "ascending";
    all("th", table.tHead).forEach((h) => h.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = Array.from(body.rows).map((row, k) => [key(row, column), k, row]);
    rows.sort((a, b) => {
      const [x, y] = [a[0], b[0]];
      const kinds = (typeof x === "string") - (typeof y === "string");
      const order = kinds || (x < y ? -1 : x > y ? 1 : 0);
      return (down ? -order : order) || a[1] - b[1];
    });
    body.append(...rows.map((r) => r[2]));
    said.textContent = "sorted by " + head.textContent + (down ? ", descending" : ", ascending");
  }

  for (const block of all(".paste")) {
    const words = block.textContent;
    const button = make("button", "small", "copy");
    button.type = "button";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(words);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(block.querySelector("code"));
        button.textContent = "selected";
      }
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    });
    block.prepend(button);
  }

  // Hover: at once, and for the keyboard; the title of a shape says the same after a while.
  const tip = make("div", "tip");
  tip.hidden = true;
  document.body.append(tip);
  const titles = new WeakMap();
  const words = (shape) => {
    if (!titles.has(shape)) {
      const title = shape.querySelector("title");
      titles.set(shape, title ? title.textContent : "");
      if (title) title.remove();
    }
    return titles.get(shape);
  };
  const show = (shape, x, y) => {
    tip.textContent = words(shape);
    tip.hidden = !tip.textContent;
    tip.style.left = Math.max(8, Math.min(x + 14, innerWidth - tip.offsetWidth - 8)) + "px";
    tip.style.top = Math.min(y + 14, innerHeight - tip.offsetHeight - 8) + "px";
  };
  const leave = () => { tip.hidden = true; };
  const SHAPES = "circle, rect, line";
  for (const plot of all(".plot")) {
    const shapes = all(SHAPES, plot).filter((s) => s.querySelector("title"));
    const known = new Set(shapes);
    let at = -1;
    plot.addEventListener("pointermove", (e) => {
      if (known.has(e.target)) show(e.target, e.clientX, e.clientY); else leave();
    });
    plot.addEventListener("pointerleave", leave);
    plot.addEventListener("blur", () => {
      leave();
      if (shapes[at]) shapes[at].classList.remove("now");
    });
    plot.addEventListener("keydown", (e) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
      if (e.key === "Escape") leave();
      if (!step || !shapes.length) return;
      e.preventDefault();
      if (shapes[at]) shapes[at].classList.remove("now");
      at = (at + step + shapes.length) % shapes.length;
      shapes[at].classList.add("now");
      const box = shapes[at].getBoundingClientRect();
      show(shapes[at], box.right, box.bottom);
      said.textContent = words(shapes[at]);
    });
  }

  for (const figure of all("figure.map")) {
    const points = all(".plot circle", figure);
    const texts = points.map((p) => (p.querySelector("title") || p).textContent.toLowerCase());
    const box = field("Find on the map", (w) => {
      let n = 0;
      points.forEach((p, k) => {
        const hit = Boolean(w) && texts[k].includes(w);
        n += hit ? 1 : 0;
        p.classList.toggle("hit", hit);
        p.classList.toggle("miss", Boolean(w) && !hit);
      });
      return w ? n + " of " + points.length + " points" : "";
    });
    figure.querySelector(".plot").before(box);

    // Colour by something else that is known of the points.
    const legends = all(".legend[data-groups]", figure);
    if (legends.length < 2) continue;
    const choice = make("fieldset", "find");
    choice.append(make("legend", "hidden", "What colours stand for"), make("span", "", "Colour by"));
    legends.forEach((legend, n) => {
      const label = make("label"), radio = make("input");
      radio.type = "radio";
      radio.name = "colour" + fields;
      radio.checked = n === 0;
      label.append(radio, " " + legend.dataset.by);
      radio.addEventListener("change", () => {
        legends.forEach((other) => { other.hidden = other !== legend; });
        legend.dataset.groups.split(" ").forEach((group, k) => {
          const old = Array.from(points[k].classList).find((c) => /^m(\d|-)/.test(c));
          points[k].classList.replace(old, group < 0 ? "m-none" : "m" + group);
        });
      });
      choice.append(label);
    });
    box.after(choice);
  }

  addEventListener("beforeprint", () => all("details").forEach((d) => { d.open = true; }));
})();
