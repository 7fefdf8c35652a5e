/**
 * What the page of `list --usage --html` does in a browser. `squarify` stands before it. Names come from servers: they are put in
 * as text alone, never as markup.
 */
export const SCRIPT = `
"use strict";
const root = JSON.parse(document.getElementById("data").textContent);
const [map, crumbs, table, heading, tip] = ["map", "crumbs", "table", "heading", "tip"].map((id) => document.getElementById(id));
/** Pixels and tiles below which boxes are put together. */
const LEAST = 64, MOST = 2000, INNER_LEAST = 120, INNER_MOST = 80, ROWS = 500, GAP = 3;
const HUES = [208, 152, 28, 268, 340, 186, 88, 4, 48, 236];
const KINDS = ["collections", "containers", "images"];
const counted = (count, word) => count.toLocaleString("en") + " " + (count === 1 ? word : word + "s");

(function prepare(node, kind, hue) {
  node.kind = kind;
  node.hue = hue;
  (node.c ?? []).forEach((child, index) => prepare(child, kind + 1, kind === 0 ? HUES[index % HUES.length] : hue));
})(root, 0, 208);

function sizeText(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit += 1) bytes /= 1024;
  return (unit === 0 ? String(bytes) : bytes.toFixed(1)) + " " + units[unit];
}
function percent(part, whole) {
  const share = whole > 0 ? (100 * part) / whole : 0;
  return share > 0 && share < 0.1 ? "< 0.1 %" : share.toFixed(1) + " %";
}

function make(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** The path is in the address: #/0/3 is the fourth container of the first collection, +80 what stands behind the 80 largest. */
function opened() {
  const nodes = [root];
  for (const word of location.hash.split("/").slice(1)) {
    if (!/^[+]?[0-9]+$/.test(word)) break;
    const at = nodes[nodes.length - 1];
    const next = word[0] === "+" ? rest(at, Number(word.slice(1))) : at.c?.[Number(word)];
    if (next?.c === undefined) break;
    nodes.push({ ...next, word });
  }
  return nodes;
}
function rest(node, from) {
  const c = node.c.slice(from);
  if (c.length === 0) return undefined;
  const sum = (key) => c.reduce((total, child) => total + child[key], 0);
  return { n: c.length.toLocaleString("en") + " more", s: sum("s"), t: sum("t"), c, kind: node.kind, hue: node.hue, word: "+" + from };
}
function go(nodes) {
  location.hash = nodes.slice(1).map((node) => "/" + node.word).join("") || "/";
}

/** The children that are seen: those too small, and those too many, are one. The largest are first, so that a place is a name. */
function seen(node, area, least, most) {
  const c = node.c.filter((child) => child.s > 0);
  let count = Math.min(c.findIndex((child) => (child.s / node.s) * area < least), most);
  if (count < 0) count = Math.min(c.length, most);
  if (count >= c.length - 1) count = c.length;
  if (count === 0 && c.length > 0) count = Math.min(c.length, INNER_MOST);
  const shown = c.slice(0, count).map((child, index) => ({ ...child, word: String(index) }));
  return count < c.length ? [...shown, rest(node, count)] : shown;
}
/** The group of the small ones may be larger than some of those that it follows. */
function laid(items, box) {
  const order = [...items].sort((a, b) => b.s - a.s);
  const boxes = squarify(order.map((item) => item.s), box);
  return order.map((item, index) => ({ item, box: boxes[index] }));
}
function place(element, box, most) {
  const gap = Math.min(most, box.width / 6, box.height / 6);
  element.style.left = box.x + "px";
  element.style.top = box.y + "px";
  element.style.width = Math.max(1, box.width - gap) + "px";
  element.style.height = Math.max(1, box.height - gap) + "px";
}

function draw() {
  const nodes = opened();
  const at = nodes[nodes.length - 1];
  hide();
  drawCrumbs(nodes);
  drawTable(at, nodes);
  map.textContent = "";
  const box = { x: 0, y: 0, width: map.clientWidth + GAP, height: map.clientHeight + GAP };
  if (!at.c.some((child) => child.s > 0)) {
    map.append(make("div", "Nothing with a size is here.", "nothing"));
    return;
  }
  let budget = 3000;
  for (const { item, box: tileBox } of laid(seen(at, box.width * box.height, LEAST, MOST), box)) {
    const tile = make("button", undefined, "tile" + (item.word[0] === "+" ? " rest" : item.c ? "" : " leaf"));
    tile.type = "button";
    tile.tabIndex = map.childElementCount === 0 ? 0 : -1;
    tile.style.setProperty("--h", item.hue);
    tile.setAttribute("aria-label", item.n + ", " + sizeText(item.s) + ", " + percent(item.s, at.s));
    place(tile, tileBox, GAP);
    tile.item = item;
    tile.above = at;
    if (item.c) tile.addEventListener("click", () => go([...nodes, item]));
    const { width, height } = tileBox;
    if (width >= 44 && height >= 26) {
      tile.append(make("b", item.n));
      const wide = width >= 190;
      if (wide) tile.classList.add("wide");
      if (wide || (width >= 74 && height >= 44)) tile.append(make("small", sizeText(item.s)));
      if (item.c && item.word[0] !== "+") budget = drawInner(tile, item, width - 5, height - 5, wide ? 25 : 40, budget);
    }
    map.append(tile);
  }
}
function drawInner(tile, node, width, height, top, budget) {
  if (width < 50 || height - top < 22 || budget <= 0) return budget;
  const box = { x: 4, y: top, width: width - 6, height: height - top - 2 };
  for (const { item, box: innerBox } of laid(seen(node, box.width * box.height, INNER_LEAST, INNER_MOST), box)) {
    const inner = make("span", undefined, "inner" + (item.word[0] === "+" ? " rest" : ""));
    inner.setAttribute("aria-hidden", "true");
    place(inner, innerBox, 2);
    inner.item = item;
    inner.above = node;
    if (innerBox.width >= 34 && innerBox.height >= 20) {
      inner.classList.add("named");
      inner.append(make("bdi", item.n));
      if (innerBox.width >= 74 && innerBox.height >= 42) inner.append(make("small", sizeText(item.s)));
    }
    tile.append(inner);
    budget -= 1;
  }
  return budget;
}

function drawCrumbs(nodes) {
  crumbs.textContent = "";
  nodes.forEach((node, index) => {
    if (index > 0) crumbs.append(make("i", "›"));
    const crumb = make("button", index === 0 ? "All" : node.n);
    crumb.type = "button";
    if (index === nodes.length - 1) crumb.setAttribute("aria-current", "page");
    else crumb.addEventListener("click", () => go(nodes.slice(0, index + 1)));
    crumbs.append(crumb);
  });
}

function drawTable(at, nodes) {
  heading.textContent = "The " + KINDS[at.kind] + (nodes.length > 1 ? " of " + at.n : "") + ", the largest first";
  const images = at.kind === 2;
  const titles = images ? ["Tags", "", "Size", "Share", "Created", "Digest"] : ["Name", "", "Size", "Share", "Tags"];
  const head = make("tr");
  titles.forEach((title, index) => {
    const cell = make("th", title, index === 1 ? "bar" : index === 2 || index === 3 || title === "Tags" && index > 0 ? "number" : title === "Digest" ? "few" : "");
    cell.scope = "col";
    head.append(cell);
  });
  const body = make("tbody");
  at.c.slice(0, ROWS).forEach((child, index) => {
    const row = make("tr");
    const name = make("th");
    name.scope = "row";
    const word = make(child.c ? "button" : "span", undefined, child.c ? "open" : "");
    word.append(make("bdi", child.n));
    if (child.c) {
      word.type = "button";
      word.addEventListener("click", () => go([...nodes, { word: String(index) }]));
    }
    name.append(word);
    const bar = make("td", undefined, "bar");
    bar.append(barOf(at.s > 0 ? child.s / at.s : 0));
    row.append(name, bar, make("td", child.u ? "not known" : sizeText(child.s), "number"), make("td", percent(child.s, at.s), "number"));
    if (images) {
      const digest = make("td", undefined, "few");
      digest.append(make("code", child.d ? child.d.split(":")[1].slice(0, 12) : "–"));
      row.append(make("td", (child.a ?? "–").slice(0, 10)), digest);
    } else row.append(make("td", child.t.toLocaleString("en"), "number"));
    body.append(row);
  });
  if (at.c.length > ROWS) {
    const row = make("tr");
    const cell = make("td", (at.c.length - ROWS).toLocaleString("en") + " more are in the map above");
    cell.colSpan = titles.length;
    row.append(cell);
    body.append(row);
  }
  const top = make("thead");
  top.append(head);
  table.replaceChildren(top, body);
}
function barOf(part) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  rect.setAttribute("width", Math.min(100, 100 * part).toFixed(2) + "%");
  rect.setAttribute("height", "100%");
  svg.append(rect);
  return svg;
}

function tell(element, x, y) {
  const { item, above } = element;
  const lines = [sizeText(item.s) + " (" + item.s.toLocaleString("en") + " bytes), " + percent(item.s, above.s) + " of " + above.n];
  if (item.c) lines.push(counted(item.c.length, KINDS[item.kind].slice(0, -1)) + ", " + counted(item.t, "tag"));
  if (item.a) lines.push("Created " + item.a.slice(0, 16).replace("T", " "));
  tip.replaceChildren(make("b", item.n), ...lines.map((line) => make("div", line)));
  if (item.d) tip.append(make("code", item.d));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - width - 6)) + "px";
  tip.style.top = (y + 18 + height > innerHeight ? Math.max(4, y - height - 10) : y + 18) + "px";
}
function hide() {
  tip.hidden = true;
}
map.addEventListener("pointermove", (event) => {
  const over = event.target.closest(".inner, .tile");
  if (over?.item) tell(over, event.clientX, event.clientY);
  else hide();
});
map.addEventListener("pointerleave", hide);
map.addEventListener("focusin", (event) => {
  for (const tile of map.querySelectorAll('.tile[tabindex="0"]')) tile.tabIndex = -1;
  event.target.tabIndex = 0;
  if (!event.target.matches(":focus-visible")) return;
  const { left, bottom } = event.target.getBoundingClientRect();
  tell(event.target, left, bottom - 14);
});
map.addEventListener("focusout", hide);

/** The nearest tile that way, seen from the middle of this one. */
function beside(tile, dx, dy) {
  const middle = (element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return [left + width / 2, top + height / 2];
  };
  const [x, y] = middle(tile);
  let best, least = Infinity;
  for (const other of map.querySelectorAll(".tile")) {
    const [toX, toY] = middle(other);
    const ahead = (toX - x) * dx + (toY - y) * dy;
    if (other === tile || ahead <= 1) continue;
    const distance = ahead + 3 * Math.abs((toX - x) * dy) + 3 * Math.abs((toY - y) * dx);
    if (distance < least) [best, least] = [other, distance];
  }
  return best;
}
addEventListener("keydown", (event) => {
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const way = ways[event.key];
  const tile = document.activeElement;
  if (way && tile?.classList.contains("tile")) {
    event.preventDefault();
    beside(tile, ...way)?.focus();
  }
  if (event.key === "Escape") hide();
  if (event.key === "Escape" || event.key === "Backspace") {
    const nodes = opened();
    if (nodes.length === 1) return;
    event.preventDefault();
    go(nodes.slice(0, -1));
  }
});
/** Who is in the map stays there. */
function drawAgain(inside) {
  const back = inside || map.contains(document.activeElement);
  draw();
  if (back) map.querySelector(".tile")?.focus({ preventScroll: true });
}
addEventListener("hashchange", () => drawAgain(document.activeElement === document.body));
let width = 0, height = 0;
new ResizeObserver(() => {
  if (map.clientWidth === width && map.clientHeight === height) return;
  [width, height] = [map.clientWidth, map.clientHeight];
  drawAgain(false);
}).observe(map);
`;
