/** How the page of `list --usage --html` looks: light and dark as the reader's system is, from a telephone to a wall. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --ink: #16191d; --soft: #545d68; --line: #d9dee4; --accent: #0b5fa5;
  --tile-s: 58%; --tile-l: 90%; --edge-l: 70%; --inner-s: 62%; --inner-l: 81%; --tip: #16191d; --tip-ink: #f4f6f8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1216; --card: #171b21; --ink: #eef1f4; --soft: #a3adb8; --line: #2c333c; --accent: #7cc0ff;
    --tile-s: 30%; --tile-l: 17%; --edge-l: 38%; --inner-s: 36%; --inner-l: 27%; --tip: #f0f3f6; --tip-ink: #16191d;
  }
}
html { scrollbar-gutter: stable; }
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 1600px; padding: 20px clamp(12px, 2.5vw, 36px) 40px;
  background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { margin: 0 0 2px; font-size: 1.35rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 26px 0 8px; font-size: 1.05rem; overflow-wrap: anywhere; }
.made { margin: 0 0 14px; color: var(--soft); font-size: .86rem; }
.facts { display: flex; flex-wrap: wrap; gap: 8px 28px; margin: 0 0 16px; padding: 0; list-style: none; }
.facts b { display: block; font-size: 1.4rem; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums; }
.facts span { color: var(--soft); font-size: .84rem; }
.crumbs { display: flex; flex-wrap: wrap; align-items: center; gap: 2px; min-height: 32px; margin: 0 0 6px -6px; font-size: .95rem; }
.crumbs button, .open {
  border: 0; background: none; color: var(--accent); font: inherit; padding: 3px 6px; border-radius: 6px; cursor: pointer;
  text-align: left; overflow-wrap: anywhere;
}
.open { padding: 0; text-decoration: underline; text-decoration-color: transparent; text-underline-offset: 3px; }
.crumbs button:hover, .open:hover { text-decoration: underline; }
.crumbs [aria-current] { color: var(--ink); font-weight: 600; cursor: default; text-decoration: none; }
.crumbs i { color: var(--soft); font-style: normal; }
#map { position: relative; height: clamp(300px, 64vh, 900px); }
.tile {
  position: absolute; overflow: hidden; margin: 0; padding: 0; font: inherit; color: var(--ink); text-align: left; cursor: pointer;
  border: 1px solid hsl(var(--h) 34% var(--edge-l)); border-radius: 5px; background: hsl(var(--h) var(--tile-s) var(--tile-l));
}
.tile.leaf { cursor: default; background: hsl(var(--h) var(--inner-s) var(--inner-l)); }
.tile.rest, .inner.rest {
  background: repeating-linear-gradient(135deg, transparent 0 6px, hsl(var(--h) 20% 50% / .12) 6px 12px), var(--card);
}
.tile:hover { border-color: var(--ink); }
.tile:focus-visible, .crumbs button:focus-visible, .open:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px; z-index: 2; }
.tile > b, .tile > small { position: absolute; left: 7px; right: 7px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; pointer-events: none; }
.tile > b { top: 4px; font-size: 13px; line-height: 18px; font-weight: 620; }
.tile > small { top: 21px; font-size: 12px; line-height: 16px; font-variant-numeric: tabular-nums; }
.tile.wide > b { right: 86px; }
.tile.wide > small { top: 5px; left: auto; max-width: 78px; }
.inner {
  position: absolute; overflow: hidden; border-radius: 3px; font-size: 12px; line-height: 16px;
  background: hsl(var(--h) var(--inner-s) var(--inner-l)); border: 1px solid hsl(var(--h) 34% var(--edge-l) / .55);
}
.inner.named { padding: 2px 5px; }
.inner > * { display: block; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; pointer-events: none; }
.inner small { font-size: 11px; }
.inner:hover { border-color: var(--ink); }
.nothing { display: grid; place-items: center; height: 100%; color: var(--soft); border: 1px dashed var(--line); border-radius: 8px; }
.keys { margin: 8px 0 0; color: var(--soft); font-size: .84rem; }
#tip {
  position: fixed; z-index: 9; left: 0; top: 0; max-width: min(420px, 92vw); padding: 8px 11px; border-radius: 8px; pointer-events: none;
  background: var(--tip); color: var(--tip-ink); font-size: .84rem; line-height: 1.4; box-shadow: 0 6px 24px rgb(0 0 0 / .28);
}
#tip b { display: block; overflow-wrap: anywhere; }
#tip code { font-size: .78rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th, td { padding: 6px 12px; text-align: left; border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
thead th { color: var(--soft); font-weight: 600; font-size: .8rem; white-space: nowrap; }
tbody th { font-weight: 500; overflow-wrap: anywhere; min-width: 12ch; }
.sub > th { padding-left: 30px; font-weight: 400; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.bar { width: 18%; min-width: 70px; }
.bar svg { display: block; width: 100%; height: 9px; border-radius: 3px; background: var(--line); }
.bar rect { fill: var(--accent); }
td code { font-size: .8rem; }
bdi { unicode-bidi: isolate; }
@media (max-width: 560px) {
  .bar, .few { display: none; }
  th, td { padding: 6px 8px; }
  #map { height: 62vh; }
  .keys { display: none; }
}
@media print { .keys, #tip { display: none; } }
`;
