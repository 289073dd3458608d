"""What the page of the papers adds to the look of a report: its index, articles and badges."""

STYLE = """
td:last-child, th:last-child { text-align: left }
.index ul { columns: 2; padding-left: 1.2rem } .index li { break-inside: avoid }
article { border-top: 1px solid var(--strong); padding-top: .25rem; margin-top: 1.5rem }
.verdict { font-weight: 600 }
.badge { font-size: .75rem; font-weight: 600; padding: .05rem .4rem; border: 1px solid;
  border-radius: .25rem; white-space: nowrap }
.holds { color: #00583c } .only_if { color: #6a4b00 } .fails { color: #96280a }
.differs { color: #7c2a5c } .not_testable, .not_downloaded { color: var(--faint) }
@media (prefers-color-scheme: dark) { .holds { color: #7fdcb4 } .only_if { color: #f0cf80 }
  .fails { color: #ffb39b } .differs { color: #f0b3d6 } }
@media (max-width: 40rem) { .index ul { columns: 1 } }
@media print { .holds { color: #00583c } .only_if { color: #6a4b00 } .fails { color: #96280a }
  .differs { color: #7c2a5c } }
"""
