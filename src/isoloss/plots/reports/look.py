"""How a report looks: on a screen, light and dark, as wide as a telephone, and in print."""

#: Contrast of text is 7:1 and more in both; figures are drawn on white and turned in the dark.
STYLE = """
:root { color-scheme: light dark; --ink: #141414; --paper: #fff; --faint: #555; --line: #ddd;
  --strong: #bbb; --link: #00517f; --shade: #f3f3f3; --best: #e9f2f7 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e6; --paper: #16181a; --faint: #b4b4b0; --line: #3a3d40; --strong: #5a5e62;
    --link: #8fcbf2; --shade: #222629; --best: #1d2c36 }
  figure svg { filter: invert(.91) hue-rotate(180deg) } }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper) }
main { max-width: 60rem; margin: 0 auto; padding: 1rem 1.25rem 4rem }
h1 { font-size: 1.7rem } h2 { font-size: 1.3rem; margin-top: 2.5rem } h3 { font-size: 1.05rem }
a { color: var(--link) } a:focus-visible, summary:focus-visible, [tabindex]:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px }
table { border-collapse: collapse; font-size: .875rem }
.wide, main > table, section > table, article > table { display: block; overflow-x: auto }
th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; font-variant-numeric: tabular-nums }
th.words, td.words, td:first-child, th:first-child { text-align: left }
figure { margin: 1rem 0 } figure svg { max-width: 100%; height: auto }
figcaption, .place { color: var(--faint); font-size: .875rem }
pre { background: var(--shade); padding: .5rem .75rem; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere }
summary { cursor: pointer; font-size: .875rem }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
.opening { background: var(--best); border-left: 4px solid var(--link); padding: .5rem 1rem }
.opening p { margin: .35rem 0 } .opening .said { font-weight: 600 }
.warnings { padding-left: 1.2rem } dt { font-weight: 600 } dd { margin: 0 0 .5rem;
  overflow-wrap: anywhere }
@media print {
  :root { --ink: #000; --paper: #fff; --faint: #444; --line: #ccc; --link: #000; --best: #fff }
  figure svg { filter: none } body { font-size: 10pt } main { max-width: none; padding: 0 }
  table { display: table; overflow: visible } tr, figure, pre { break-inside: avoid }
  h2, h3 { break-after: avoid } a { color: inherit } nav { display: none } }
"""
