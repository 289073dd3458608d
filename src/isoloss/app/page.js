"use strict"
// What is asked is in the link; every number is computed by isoloss and only drawn here.
const PARTS = { plan: ["plan", "map", "frontier", "disagreement", "here"], regression: ["regression"], formats: ["formats"] }
const HERE = ["params", "tokens", "rounded", "bits"]
const OF_HERE = ["disagreement", "here"]
const token = document.body.dataset.token
const found = {}, waiting = {}, wanted = {}, wrongs = {}
let tab = "plan", file = ""

// ---- what is asked
const panel = () => document.getElementById(tab)
const inputs = () => [...panel().querySelectorAll("[name]:not([name=law])")]

function valueOf(input) {
  if (input.type === "checkbox") return input.checked ? "1" : "0"
  if (input.type !== "range") return input.value
  if ("none" in input.dataset && input.value === input.min) return ""
  const value = "log" in input.dataset ? 10 ** input.value : Number(input.value)
  const whole = ["devices", "dim", "samples", "batch", "draws", "bits"].includes(input.name)
  return String(whole ? Math.round(Number(value.toPrecision(3))) : Number(value.toPrecision(3)))
}

function put(input, text) {
  if (input.type === "checkbox") input.checked = text === "1"
  else if (input.type !== "range") input.value = text
  else if (text === "") input.value = input.min
  else input.value = "log" in input.dataset ? Math.log10(Number(text)) : text
  if (input.type === "range") input.dataset.exact = text
}

const asked = input => input.dataset.exact ?? valueOf(input)

function tell(input) {
  const out = document.querySelector(`output[for="${input.id}"]`)
  if (!out) return
  const text = asked(input)
  out.textContent = text === "" ? input.dataset.none || "not given" : `${short(Number(text))} ${input.dataset.unit}`.trim()
}

function query() {
  const given = new URLSearchParams(inputs().map(each => [each.name, asked(each)]))
  if (tab === "plan" && file) given.set("file", file)
  return given
}

function link() {
  const given = query()
  given.set("tab", tab)
  if (token) given.set("token", token)
  history.replaceState(null, "", `?${given}`)
}

// ---- asking
async function get(part, given) {
  const answer = await fetch(`at/${part}?${given}`, { headers: token ? { "x-token": token } : {} })
  const told = await answer.json()
  if (told.error) throw new Error(told.error)
  return told
}

// One request a part is under way; of what is asked meanwhile only the last is sent.
async function ask(part, given) {
  wanted[part] = given
  if (waiting[part]) return
  waiting[part] = true
  while (wanted[part] !== undefined) {
    const now = wanted[part]
    delete wanted[part]
    for (const each of figuresOf(part)) each.dataset.busy = ""
    try {
      found[part] = await get(part, now)
      delete wrongs[part]
      DRAW[part](found[part])
    } catch (error) {
      wrongs[part] = error.message
      delete found[part]
      lines(tab)
    }
    say()
    for (const each of figuresOf(part)) {
      delete each.dataset.busy
      each.toggleAttribute("data-stale", part in wrongs)
    }
  }
  waiting[part] = false
}

const figuresOf = part => (FIGURES[part] ?? []).map(id => document.getElementById(id))
const FIGURES = { plan: ["choices"], map: ["map"], frontier: ["frontier"], disagreement: ["disagreement"],
  regression: ["risk", "parts", "spectrum"], formats: ["grids", "errors", "prices"] }

function say() {
  const shown = Object.entries(wrongs).filter(([part]) => PARTS[tab].includes(part)).map(([, text]) => text)
  const text = [...new Set(shown)].join(" · ")
  const alert = document.getElementById("wrong")
  if (alert.textContent !== text) alert.textContent = text
}

// The plan first: its other pictures are drawn from it, and wait for it on the server.
async function change(name) {
  link()
  const given = query().toString()
  if (tab !== "plan") return ask(tab, given)
  if (HERE.includes(name)) {
    for (const part of OF_HERE) ask(part, given)
    if (found.map) drawMap(found.map)
    return
  }
  await ask("plan", given)
  if (!waiting.plan) for (const part of ["map", "frontier", ...(name ? ["here"] : OF_HERE)]) ask(part, query().toString())
}

// ---- drawing
const NS = "http://www.w3.org/2000/svg", W = 480, H = 300, LEFT = 54, RIGHT = 12, TOP = 10, LOW = 36
const SUFFIX = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]

function short(value) {
  if (value === null || value === undefined || !isFinite(value)) return "–"
  const size = Math.abs(value)
  if (size >= 1e15 || (size < 1e-3 && size > 0)) return Number(value.toPrecision(3)).toExponential().replace("e+", "e")
  for (const [most, end] of SUFFIX) if (size >= most) return `${Number((value / most).toPrecision(3))}${end}`
  return String(Number(value.toPrecision(4)))
}

function node(name, given, text, title) {
  const made = document.createElementNS(NS, name)
  for (const [key, value] of Object.entries(given)) made.setAttribute(key, value)
  if (text !== undefined && text !== null) made.textContent = text
  if (title) made.append(node("title", {}, title))
  return made
}

function ticks(low, high, log) {
  if (!log) {
    const power = 10 ** Math.floor(Math.log10((high - low) / 4))
    const step = [1, 2, 5, 10].map(m => m * power).find(s => (high - low) / s <= 6)
    return Array.from({ length: 8 }, (_, k) => (Math.ceil(low / step) + k) * step).filter(v => v <= high * (1 + 1e-9))
  }
  const decades = Math.log10(high / low), every = Math.ceil(decades / 6), all = []
  for (let k = Math.floor(Math.log10(low)); k <= Math.log10(high); k++)
    for (const m of decades < 2 ? [1, 2, 5] : [1]) if (m > 1 || k % every === 0) all.push(m * 10 ** k)
  return all.filter(v => v >= low && v <= high)
}

// A picture with two axes; places() turns numbers into where they are drawn.
function chart(id, x, y, left = LEFT) {
  const svg = node("svg", { viewBox: `0 0 ${W} ${H}` })
  const scale = ({ low, high, log }, from, to) => value =>
    from + (to - from) * (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low))
  const sx = scale(x, left, W - RIGHT), sy = scale(y, H - LOW, TOP)
  for (const value of x.names ? [] : ticks(x.low, x.high, x.log)) {
    svg.append(node("line", { class: "grid", x1: sx(value), x2: sx(value), y1: TOP, y2: H - LOW }))
    svg.append(node("text", { x: sx(value), y: H - LOW + 14, "text-anchor": "middle" }, short(value)))
  }
  for (const value of y.names ? [] : ticks(y.low, y.high, y.log)) {
    svg.append(node("line", { class: "grid", x1: left, x2: W - RIGHT, y1: sy(value), y2: sy(value) }))
    svg.append(node("text", { x: left - 4, y: sy(value) + 4, "text-anchor": "end" }, short(value)))
  }
  for (const [k, name] of (y.names ?? []).entries())
    svg.append(node("text", { x: left - 6, y: sy(k) + 4, "text-anchor": "end" }, name.length > left / 7 ? `${name.slice(0, left / 7 - 1)}…` : name, name))
  const inner = node("svg", { x: left, y: TOP, width: W - RIGHT - left, height: H - LOW - TOP, viewBox: `${left} ${TOP} ${W - RIGHT - left} ${H - LOW - TOP}` })
  svg.append(inner, node("path", { class: "axis", fill: "none", d: `M${left} ${TOP}V${H - LOW}H${W - RIGHT}` }))
  svg.append(node("text", { x: W - RIGHT, y: H - 6, "text-anchor": "end", class: "faint" }, x.label))
  if (y.label) svg.append(node("text", { x: 12, y: TOP + 2, transform: `rotate(-90 12 ${TOP + 2})`, "text-anchor": "end", dominantBaseline: "hanging", class: "faint" }, y.label))
  document.querySelector(`#${id} .draw`).replaceChildren(svg)
  return { inner, sx, sy }
}

const pathOf = (at, xs, ys) => xs.map((x, k) => [x, ys[k]]).filter(([x, y]) => x !== null && y !== null && y > -Infinity)
  .map(([x, y], k) => `${k ? "L" : "M"}${at.sx(x).toFixed(2)} ${at.sy(y).toFixed(2)}`).join("")

function line(at, xs, ys, kind, title) { at.inner.append(node("path", { class: `line ${kind}`, d: pathOf(at, xs, ys) || "M0 0" }, null, title)) }

function dot(at, x, y, kind, title, r = 4) { at.inner.append(node("circle", { class: kind, cx: at.sx(x), cy: at.sy(y), r }, null, title)) }

function legend(at, names) {
  names.forEach((name, k) => at.inner.append(node("text", { x: W - RIGHT - 6, y: TOP + 14 + 14 * k, "text-anchor": "end", class: `c${k % 6}` }, name)))
}

function span(values, log, pad = 0.06) {
  const known = values.filter(v => v !== null && isFinite(v) && (!log || v > 0))
  let low = Math.min(...known), high = Math.max(...known)
  if (!known.length) [low, high] = log ? [1, 10] : [0, 1]
  if (log) { const by = Math.max((high / low) ** pad, 1.05); return { low: low / by, high: high * by, log } }
  const by = (high - low) * pad || Math.abs(high) * 0.05 || 1
  return { low: low - by, high: high + by, log: false }
}

function table(target, head, rows) {
  const made = document.createElement("table"), top = made.createTHead().insertRow(), body = made.createTBody()
  for (const each of head) { const cell = document.createElement("th"); cell.scope = "col"; cell.textContent = each; top.append(cell) }
  for (const row of rows) { const to = body.insertRow(); for (const each of row) to.insertCell().textContent = typeof each === "number" || each === null ? short(each) : each }
  target.replaceChildren(made)
}

const numbers = (id, head, rows) => table(document.querySelector(`#${id} details .wide`), head, rows)

const percent = share => `${Math.round(100 * share)}%`

// How far a point lies outside the runs of a law.
const outside = factor => factor === null ? "not known" : factor > 1 ? `${short(factor)} x` : "inside"

const between = ends => ends[0] === null ? "–" : `${short(ends[0])} to ${short(ends[1])}`

// Lines of equal loss of a grid (n, m), by squares: each side that a level crosses has one point.
function contours(at, xs, ys, grid, levels) {
  const fall = (a, b, level) => (level - a) / (b - a)
  for (const level of levels) {
    let d = ""
    for (let i = 0; i + 1 < xs.length; i++) for (let j = 0; j + 1 < ys.length; j++) {
      const corner = [grid[i][j], grid[i + 1][j], grid[i + 1][j + 1], grid[i][j + 1]]
      if (corner.includes(null)) continue
      const places = [[xs[i], ys[j]], [xs[i + 1], ys[j]], [xs[i + 1], ys[j + 1]], [xs[i], ys[j + 1]]]
      const cut = []
      for (let k = 0; k < 4; k++) {
        const a = corner[k], b = corner[(k + 1) % 4]
        if ((a < level) === (b < level)) continue
        const t = fall(a, b, level), [p, q] = [places[k], places[(k + 1) % 4]]
        cut.push(`${(at.sx(p[0]) + t * (at.sx(q[0]) - at.sx(p[0]))).toFixed(1)} ${(at.sy(p[1]) + t * (at.sy(q[1]) - at.sy(p[1]))).toFixed(1)}`)
      }
      for (let k = 0; k + 1 < cut.length; k += 2) d += `M${cut[k]}L${cut[k + 1]}`
    }
    if (d) at.inner.append(node("path", { class: "contour", d }, null, `loss ${short(level)}`))
  }
}

function lines(id) {
  const parts = PARTS[id].map(part => found[part]).filter(each => each)
  for (const kind of ["shell", "notebook"])
    document.getElementById(`${id}-${kind}`).textContent = [...new Set(parts.flatMap(each => each[kind] ?? []))].join("\n")
}

function paragraphs(id, texts) {
  document.getElementById(id).replaceChildren(...texts.map(text => { const p = document.createElement("p"); p.textContent = text; return p }))
}

// What is to be known of all that the tab shows: of the plan, of where one is, of the laws that disagree.
function warn() {
  const { plan, here, disagreement } = found
  const said = [...plan?.warnings ?? [], ...Object.values(plan?.dropped ?? {}), ...here?.laws.flatMap(each => each.warnings.map(text => `${each.law}, at your model: ${text}`)) ?? [],
    ...disagreement?.warnings ?? [], ...disagreement?.silent.length ? [`without an answer to what ${disagreement.bits} bits cost: ${disagreement.silent.join(", ")}`] : []]
  document.getElementById("warnings").replaceChildren(...[...new Set(said)].map(text => { const li = document.createElement("li"); li.textContent = text; return li }))
}

const bounded = (each, text) => each.standing === "at least" ? `at least ${text}` : text

function drawPlan(told) {
  paragraphs("said", told.recommendation)
  const names = told.choices.map(each => each.precision)
  const ends = told.choices.flatMap(each => [each.loss, ...each.loss_interval])
  const at = chart("choices", { ...span(ends), label: told.metric === "nats" ? "loss, nats per token" : "loss" }, { low: names.length - 0.5, high: -0.5, names }, 110)
  told.choices.forEach((each, k) => {
    const title = `${each.precision}: loss ${each.loss === null ? each.standing : bounded(each, each.loss)}, ${between(each.loss_interval)}`
    if (each.loss_interval[0] !== null) line(at, each.loss_interval, [k, k], "c1", title)
    if (each.loss !== null) dot(at, each.loss, k, told.is_recommended && !k ? "c0" : "c1", title, 5)
  })
  const interval = `${percent(told.level)} interval`
  const head = ["precision", "loss", interval, "more than the first", "params", interval, "tokens", "device hours", "hours", `money ${told.currency ? `(${told.currency})` : ""}`, "GB served", "best in", "binds"]
  const rows = told.choices.map(each => [each.precision, each.loss === null ? each.standing : bounded(each, each.loss.toFixed(4)), each.no_interval ?? between(each.loss_interval), each.more === null ? "not known" : bounded(each, each.more.toFixed(4)), each.params, between(each.params_interval),
    each.tokens, each.device_hours, each.wall_hours, each.money, each.serving_bytes / 1e9, each.probability === null ? "–" : percent(each.probability), each.binding.join(", ")])
  numbers("choices", head, rows)
  table(document.getElementById("table"), head, rows)
  table(document.getElementById("bylaw"), ["law alone", "weight", "precision", "params", "tokens", "loss", "outside its runs"],
    told.by_law.map(each => [each.law, each.weight, each.precision, each.params, each.tokens, each.loss, outside(each.outside)]))
  warn()
  lines("plan")
}

function drawMap(told) {
  const mine = Object.fromEntries(inputs().filter(each => HERE.includes(each.name)).map(each => [each.name, Number(asked(each))]))
  const at = chart("map", { ...span([...told.params, mine.params], true, 0.01), label: "params" }, { ...span([...told.tokens, mine.tokens], true, 0.01), label: "tokens" })
  for (const each of told.regions) at.inner.append(node("rect", { class: "region", x: at.sx(each.params[0]), y: at.sy(each.tokens[1]),
    width: at.sx(each.params[1]) - at.sx(each.params[0]), height: at.sy(each.tokens[0]) - at.sy(each.tokens[1]) }, null, "inside the runs of a law"))
  const seen = told.loss.flat().filter(v => v !== null).sort((a, b) => a - b)
  const levels = seen.length ? Array.from({ length: 9 }, (_, k) => seen[Math.floor((0.04 + 0.11 * k) * (seen.length - 1))]) : []
  contours(at, told.params, told.tokens, told.loss, levels)
  told.factors.forEach((factor, k) => line(at, told.limit_params, told.limits[k].map(v => v > 1.5 ? v : null), factor === 1 ? "limit asked" : "limit", `${factor} x the budget`))
  if (told.most_params !== null && told.most_params < told.params.at(-1)) at.inner.append(node("line", { class: "edge", x1: at.sx(told.most_params), x2: at.sx(told.most_params), y1: TOP, y2: H - LOW }, null, `${told.capped_by} allows ${short(told.most_params)} params`))
  told.cloud_params.forEach((n, k) => dot(at, n, told.cloud_tokens[k], "cloud", "a bootstrap replicate", 1.6))
  dot(at, told.first.params, told.first.tokens, told.is_recommended ? "first" : "first hollow", `${told.is_recommended ? "" : "not recommended, "}least expected loss ${told.first.loss ?? "unknown"}: ${short(told.first.params)} params on ${short(told.first.tokens)} tokens in '${told.precision}'`, 6)
  const [x, y] = [at.sx(mine.params), at.sy(mine.tokens)]
  at.inner.append(node("path", { class: "you", d: `M${x} ${y}l-6 -13h12z` }, null, `you are here: ${short(mine.params)} params on ${short(mine.tokens)} tokens`))
  at.inner.append(node("text", { x: x + 8, y: y - 5 }, "you"))
  numbers("map", ["what", "params", "tokens", "loss"], [[told.is_recommended ? "first choice" : "first choice, not recommended", told.first.params, told.first.tokens, told.first.loss], ["you", mine.params, mine.tokens, null],
    ...told.params.filter((_, k) => k % 12 === 0).flatMap((n, a) => told.tokens.filter((_, k) => k % 12 === 0).map((d, b) => ["map", n, d, told.loss[12 * a][12 * b]]))])
}

function drawFrontier(told) {
  const ends = told.curves.flatMap(each => [...each.low, ...each.high, ...each.loss])
  const at = chart("frontier", { ...span(told.cost ?? [1, 10], true), label: told.unit ?? "no cost is limited" }, { ...span(ends), label: "loss" })
  told.curves.forEach((each, k) => {
    const known = each.low.map((v, i) => i).filter(i => each.low[i] !== null)
    const band = [...known.map(i => [told.cost[i], each.high[i]]), ...known.reverse().map(i => [told.cost[i], each.low[i]])]
    if (band.length) at.inner.append(node("path", { class: `band c${k % 6}`, d: `${pathOf(at, band.map(p => p[0]), band.map(p => p[1]))}Z` }))
    line(at, told.cost, each.loss, `c${k % 6}`, each.precision)
  })
  if (told.asked) at.inner.append(node("line", { class: "edge", x1: at.sx(told.asked), x2: at.sx(told.asked), y1: TOP, y2: H - LOW }, null, `the budget: ${short(told.asked)}`))
  legend(at, told.curves.map(each => each.precision))
  numbers("frontier", [told.unit ?? "", ...told.curves.map(each => `loss, ${each.precision}`)], (told.cost ?? []).map((c, i) => [c, ...told.curves.map(each => each.loss[i])]))
}

function drawDisagreement(told) {
  const known = told.answers.filter(each => each.gap !== null), names = told.answers.map(each => `${each.law} ${each.asked}`)
  const at = chart("disagreement", { ...span([0, ...known.map(each => each.gap)]), label: "gap, nats per token" }, { low: names.length - 0.5, high: -0.5, names }, 190)
  told.answers.forEach((each, k) => { if (each.gap !== null) dot(at, each.gap, k, each.outside !== null && each.outside <= 1 ? "c1" : "c1 hollow", `${names[k]} (${each.method}): ${each.gap.toFixed(4)}, outside its runs: ${outside(each.outside)}`) })
  numbers("disagreement", ["law", "asked as", "gap", "outside its runs"], told.answers.map(each => [each.law, each.asked, each.gap === null ? "unknown" : each.gap.toFixed(4), outside(each.outside)]))
  warn()
  lines("plan")
}

function drawHere(told) {
  warn()
  lines("plan")
  const said = told.laws.map(each => `You, by ${each.law}: loss ${each.loss === null ? "unknown" : each.loss.toFixed(4)}${(each.low ?? null) === null ? "" : ` (${percent(each.level)}: ${each.low.toFixed(4)} to ${each.high.toFixed(4)})`}`)
  document.querySelectorAll("#said .you-are").forEach(each => each.remove())
  for (const text of said) { const p = document.createElement("p"); p.className = "you-are"; p.textContent = text; document.getElementById("said").append(p) }
}

function drawRegression(told) {
  const all = told.curves.flatMap(each => each.risk), xs = told.curves[0].samples
  const at = chart("risk", { ...span(xs, true), label: "samples" }, { ...span(all, true), label: "excess risk" })
  told.curves.forEach((each, k) => {
    line(at, each.samples, each.risk, `c${k}`, each.precision)
    each.samples.forEach((n, i) => { if (each.risk[i] !== null) dot(at, n, each.risk[i], `c${k}`, `${each.precision}: ${short(n)} samples, risk ${each.risk[i]}`, 3) })
  })
  legend(at, told.curves.map(each => each.precision))
  numbers("risk", ["samples", ...told.curves.map(each => each.precision)], xs.map((n, i) => [n, ...told.curves.map(each => each.risk[i])]))
  const last = told.curves.at(-1), kinds = Object.entries(last.parts).filter(([, values]) => values.some(v => v > 0))
  const parts = chart("parts", { ...span(xs, true), label: "samples" }, { ...span(kinds.flatMap(([, values]) => values.filter(v => v > 0)), true), label: "part of the risk" })
  kinds.forEach(([name, values], k) => line(parts, last.samples, values.map(v => v > 0 ? v : null), `c${k % 6}`, name))
  legend(parts, kinds.map(([name]) => name))
  numbers("parts", ["samples", ...kinds.map(([name]) => name)], xs.map((n, i) => [n, ...kinds.map(([, values]) => values[i])]))
  const { index, eigenvalue } = told.spectrum
  const flat = chart("spectrum", { ...span(index, true), label: "index" }, { ...span(eigenvalue, true), label: "eigenvalue" })
  line(flat, index, eigenvalue, "c0", "spectrum")
  numbers("spectrum", ["index", "eigenvalue"], index.map((i, k) => [i, eigenvalue[k]]))
  const why = told.curves.flatMap(each => each.why)
  paragraphs("risk-said", why.length ? why : [told.curves.map(each => `${each.precision}: risk ${short(each.risk.at(-1))} at ${short(each.samples.at(-1))} samples`).join("; ")])
  lines("regression")
}

function drawFormats(told) {
  const names = told.formats.map(each => each.name), rows = { low: names.length - 0.5, high: -0.5, names }
  const grids = chart("grids", { low: -1.05, high: 1.05, label: "number over the largest" }, rows, 110)
  told.formats.forEach((each, k) => { const most = Math.max(...each.numbers.map(Math.abs)); for (const v of each.numbers) grids.inner.append(node("line", { class: `c${k % 6}`, x1: grids.sx(v / most), x2: grids.sx(v / most), y1: grids.sy(k - 0.32), y2: grids.sy(k + 0.32) }, null, `${each.name}: ${v}`)) })
  numbers("grids", ["format", "numbers", "largest", "bits", "stored"], told.formats.map(each => [each.name, String(each.numbers.length || "no list"), each.largest, each.bits, each.storage_bits]))
  const errors = chart("errors", { ...span(told.formats.map(each => each.error), true), label: "error over the variance" }, rows, 110)
  told.formats.forEach((each, k) => { if (each.error > 0) dot(errors, each.error, k, `c${k % 6}`, `${each.name}: ${each.error}`, 5) })
  numbers("errors", ["format", "error", "as integer bits"], told.formats.map(each => [each.name, each.error, each.integer_bits]))
  const ends = told.formats.flatMap(each => [0, each.gap, each.low, each.high])
  const prices = chart("prices", { ...span(ends), label: "gap, nats per token" }, rows, 110)
  told.formats.forEach((each, k) => {
    if (each.low !== null) line(prices, [each.low, each.high], [k, k], `c${k % 6}`, each.name)
    if (each.gap !== null) dot(prices, each.gap, k, `c${k % 6}`, `${each.name}: ${each.gap} (${between([each.low, each.high])})`, 5)
  })
  numbers("prices", ["format", "priced as", "gap", `${percent(told.level)} interval`], told.formats.map(each => [each.name, each.priced_as, each.gap, between([each.low, each.high])]))
  paragraphs("price-said", told.warnings)
  lines("formats")
}

const DRAW = { plan: drawPlan, map: drawMap, frontier: drawFrontier, disagreement: drawDisagreement, here: drawHere, regression: drawRegression, formats: drawFormats }

// ---- files of one's own
async function drop(dropped) {
  delete wrongs.plan
  if (dropped.size > Number(document.body.dataset.most)) { wrongs.plan = `the file has ${short(dropped.size / 1e6)} MB; the page takes ${document.body.dataset.most / 1e6} MB, the command line more`; return say() }
  const law = document.getElementById("f-law").value
  const given = new URLSearchParams({ name: dropped.name, law })
  try {
    const answer = await fetch(`drop?${given}`, { method: "POST", body: dropped, headers: { "x-isoloss": "1", ...(token ? { "x-token": token } : {}) } })
    const told = await answer.json()
    if (told.error) throw new Error(told.error)
    file = told.file
    keep(told.told.join("\n"))
    change("file")
  } catch (error) { wrongs.plan = error.message; say() }
}

function keep(text) {
  const read = document.getElementById("read")
  read.textContent = text
  read.hidden = !file
  document.getElementById("forget").hidden = !file
}

// ---- the page
function show(name, focus) {
  tab = name
  for (const each of document.querySelectorAll("[role=tab]")) {
    const chosen = each.getAttribute("aria-controls") === name
    each.setAttribute("aria-selected", chosen)
    each.tabIndex = chosen ? 0 : -1
    document.getElementById(each.getAttribute("aria-controls")).hidden = !chosen
    if (chosen && focus) each.focus()
  }
  say()
  change()
}

function listen() {
  const tabs = [...document.querySelectorAll("[role=tab]")]
  tabs.forEach((each, k) => {
    each.onclick = () => show(each.getAttribute("aria-controls"))
    each.onkeydown = event => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
      if (by) show(tabs[(k + by + tabs.length) % tabs.length].getAttribute("aria-controls"), true)
    }
  })
  for (const each of document.querySelectorAll("[name]:not([name=law])")) each.addEventListener(each.type === "text" ? "change" : "input", () => {
    delete each.dataset.exact
    tell(each)
    change(each.name)
  })
  for (const each of document.querySelectorAll("select[data-add], select[data-set], select[data-append]")) each.onchange = () => {
    const { add, set, append } = each.dataset, target = each.form.elements[add ?? set ?? append]
    if (each.value) target.value = set ? each.value : [...new Set([...target.value.split(add ? "," : " "), each.value])].filter(Boolean).join(add ? "," : " ")
    each.value = ""
    change(target.name)
  }
  for (const each of document.forms) each.onsubmit = event => event.preventDefault()
  for (const each of document.querySelectorAll("[data-copy]")) each.onclick = async () => {
    const text = each.dataset.copy === "link" ? location.href : document.getElementById(each.dataset.copy).textContent
    const told = each.parentElement.querySelector(".copied")
    try { await navigator.clipboard.writeText(text); told.textContent = "copied" } catch { told.textContent = "select it below" }
  }
  const chosen = document.getElementById("f-drop"), area = document.getElementById("drop").closest("fieldset")
  chosen.onchange = () => chosen.files[0] && drop(chosen.files[0])
  area.ondragover = event => { event.preventDefault(); area.classList.add("over") }
  area.ondragleave = () => area.classList.remove("over")
  area.ondrop = event => { event.preventDefault(); area.classList.remove("over"); if (event.dataTransfer.files[0]) drop(event.dataTransfer.files[0]) }
  document.getElementById("forget").onclick = () => { file = ""; chosen.value = ""; keep(""); change("file") }
}

function start() {
  const given = new URLSearchParams(location.search)
  const first = PARTS[given.get("tab")] ? given.get("tab") : "plan"
  file = given.get("file") ?? ""
  keep("")
  document.getElementById("forget").hidden = !file
  for (const each of document.querySelectorAll("[data-value]")) {
    const own = each.closest("[role=tabpanel]").id === first && given.has(each.name)
    put(each, own ? given.get(each.name) : each.dataset.value)
    tell(each)
  }
  listen()
  show(first)
}

start()
