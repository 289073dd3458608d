"""How the page of a report looks, on a screen and in print."""

STYLE = """
:root { color-scheme: light }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #141414; background: #fff }
main { max-width: 60rem; margin: 0 auto; padding: 1rem 1.25rem 4rem }
h1 { font-size: 1.7rem } h2 { font-size: 1.3rem; margin-top: 2.5rem } h3 { font-size: 1.05rem }
a { color: #00517f }
table { border-collapse: collapse; font-size: .875rem; display: block; overflow-x: auto }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #ddd; text-align: right;
  vertical-align: top; font-variant-numeric: tabular-nums }
th.words, td.words, td:first-child, th:first-child { text-align: left }
td:last-child, th:last-child { text-align: left }
.index ul { columns: 2; padding-left: 1.2rem } .index li { break-inside: avoid }
article { border-top: 1px solid #bbb; padding-top: .25rem; margin-top: 1.5rem }
figure { margin: 1rem 0 } figure svg { max-width: 100%; height: auto }
pre { background: #f3f3f3; padding: .5rem .75rem; overflow-x: auto; white-space: pre-wrap }
.place { color: #555; font-size: .875rem } .verdict { font-weight: 600 }
.badge { font-size: .75rem; font-weight: 600; padding: .05rem .4rem; border: 1px solid;
  border-radius: .25rem; white-space: nowrap }
.holds { color: #00583c } .only_if { color: #6a4b00 } .fails { color: #96280a }
.differs { color: #7c2a5c } .not_testable, .not_downloaded { color: #555 }
@media (max-width: 40rem) { .index ul { columns: 1 } }
@media print {
  body { font-size: 10pt } main { max-width: none; padding: 0 }
  table { display: table; overflow: visible; break-inside: avoid }
  figure, pre { break-inside: avoid } h2, h3 { break-after: avoid } a { color: inherit }
}
"""
