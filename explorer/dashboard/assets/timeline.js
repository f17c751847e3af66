// What was recorded when: a lane for each deployment, what was found there as marks over it. Drag over
// a stretch to look at it closely; a click takes a recording, or shows what was found at a mark.

const UNITS = 10000
// Severity is told by shape as well as by colour.
const SEVERE = {severe: ['diamond', '--no'], warning: ['triangle', '--unsure'], note: ['circle', '--faint']}

function mark(severity, size = 12) {
  const [shape, colour] = SEVERE[severity]
  return s('svg', {viewBox: '0 0 16 16', width: size, height: size, class: 'sign', 'aria-hidden': 'true',
    style: {fill: `var(${colour})`}}, s('path', {d: SHAPES[shape]}))
}

export function render({model, view}) {
  const send = sender(model, view)
  const says = h('p', {class: 'facts'})
  const when = h('span', {class: 'when'})
  const button = (name, label, act, key) => h('button', {class: 'bare tool', title: `${label} (${key})`, 'aria-label': label, onclick: act}, name)
  const out = button('−', 'Zoom out', () => zoom(2), '−')
  const all = h('button', {class: 'bare tool wide', title: 'Show all (0)', onclick: () => send('all')}, 'All')
  const tools = h('div', {class: 'tools'}, when, out, button('+', 'Zoom in', () => zoom(0.5), '+'), all)
  const empty = h('p', {class: 'empty'})
  const axis = s('svg', {class: 'axis', height: 20, 'aria-hidden': 'true'})
  const lanes = h('div', {class: 'rows'})
  const brush = h('div', {class: 'brush', hidden: true})
  const tip = h('div', {class: 'tip', hidden: true})
  const chart = h('div', {class: 'chart', tabindex: 0, role: 'group', 'aria-roledescription': 'timeline'},
    h('div', {class: 'lanes'}, h('div', {class: 'axis-row'}, h('span', {class: 'zone'}), axis), lanes), brush)
  const legend = h('p', {class: 'legend'}, Object.keys(SEVERE).map(name => h('span', {}, mark(name, 11), name)),
    h('span', {}, h('i', {class: 'key gap'}), 'gap, overlap'), h('span', {class: 'keys'}, 'drag to look closely · arrows move · + − 0 zoom'))
  const root = h('section', {class: 'card panel', 'aria-label': 'What is there'},
    h('header', {}, h('h2', {}, 'What is there'), says, tools), chart, empty, legend, tip)

  const span = () => model.view.until - model.view.since
  const time = share => model.view.since + share * span()
  const go = (since, until) => send('zoom', {since, until})
  function zoom(factor, middle = 0.5) {
    if (!model.lanes.length) return
    const at = time(middle)
    go(at - middle * span() * factor, at + (1 - middle) * span() * factor)
  }
  const pan = share => go(model.view.since + share * span(), model.view.until + share * span())

  // --- drawing ---------------------------------------------------------------------------------
  const rect = (a, b, y, tall, width, least = 1.5) => {
    const x = a / UNITS * width
    return `M${x.toFixed(1)} ${y}h${Math.max(least, (b - a) / UNITS * width).toFixed(1)}v${tall}h-${Math.max(least, (b - a) / UNITS * width).toFixed(1)}z`
  }
  const TOP = 13, TALL = 13, HIGH = 32
  function bars(lane, width) {
    const paths = new Map()
    const add = (name, d) => paths.set(name, (paths.get(name) ?? '') + d)
    for (const [a, b, severity] of lane.single ?? []) add(severity === 3 ? 'bar severe' : severity === 2 ? 'bar warning' : 'bar level-5', rect(a, b, TOP, TALL, width, 2))
    for (const [a, b, level] of lane.dense ?? []) add(`bar level-${level}`, rect(a, b, TOP, TALL, width))
    return [...paths].map(([name, d]) => s('path', {class: name, d}))
  }
  function one_lane(lane, number, width) {
    const svg = s('svg', {class: 'strip', height: HIGH, viewBox: `0 0 ${width} ${HIGH}`, preserveAspectRatio: 'none', 'aria-hidden': 'true'},
      s('line', {class: 'base', x1: 0, x2: width, y1: TOP + TALL / 2, y2: TOP + TALL / 2}), bars(lane, width))
    const spans = lane.marks.flatMap(m => m.spans.map(([a, b]) => s('path', {class: 'span ' + m.severity, d: rect(a, b, TOP - 1, TALL + 2, width, 3)})))
    svg.append(...spans)
    for (const [key, name] of [['part', 'at-part'], ['chosen', 'at-chosen']]) {
      const at = model[key]
      if (at && at.lane === number && at.to >= 0 && at.from <= UNITS) {
        const x = at.from / UNITS * width, wide = Math.max(key === 'part' ? 14 : 4, (at.to - at.from) / UNITS * width)
        svg.append(s('rect', {class: name, x: x - (wide - (at.to - at.from) / UNITS * width) / 2 - 1.5, y: TOP - 3, width: wide + 3, height: TALL + 6, rx: 2}))
      }
    }
    const marks = lane.marks.map(m => h('button', {class: 'mark', style: {left: `${m.at / UNITS * 100}%`},
      'aria-label': `${m.count} ${m.severity}: ${m.words}, ${lane.site}`, title: `${m.words}${m.count > 1 ? ` (${m.count})` : ''}`,
      onclick: event => { event.stopPropagation(); send('findings', {lane: number, since: m.since, until: m.until}) }}, mark(m.severity)))
    return h('div', {class: 'lane', 'data-lane': number},
      h('div', {class: 'name', title: [lane.site, lane.device, lane.words].filter(Boolean).join(' · ')},
        h('b', {}, lane.site), h('small', {}, [lane.device, lane.words].filter(Boolean).join(' · '))),
      h('div', {class: 'strip-box'}, svg, marks))
  }
  function draw() {
    says.replaceChildren(...model.facts.map(fact => h('span', {}, fact)))
    const has = model.lanes.length > 0
    chart.hidden = tools.hidden = legend.hidden = !has
    empty.hidden = has
    empty.textContent = model.says_empty
    if (!has) return
    chart.setAttribute('aria-label', model.summary)
    chart.querySelector('.zone').textContent = model.view.zone
    when.textContent = model.view.words
    all.disabled = out.disabled = model.view.all
    const width = Math.max(200, axis.clientWidth || 700)
    axis.setAttribute('viewBox', `0 0 ${width} 20`)
    axis.replaceChildren(...model.ticks.map(([at, label, strong]) => s('g', {transform: `translate(${at / UNITS * width} 0)`},
      s('line', {y1: 15, y2: 20}), s('text', {class: strong ? 'strong' : null, y: 11, 'text-anchor': at < 300 ? 'start' : at > 9700 ? 'end' : 'middle'}, label))))
    const focused = root.getRootNode().activeElement
    const kept = focused?.classList?.contains('mark') ? [focused.closest('.lane').dataset.lane, [...focused.parentNode.querySelectorAll('.mark')].indexOf(focused)] : null
    lanes.replaceChildren(...model.lanes.map((lane, number) => one_lane(lane, number, width)))
    if (kept) lanes.querySelector(`[data-lane="${kept[0]}"]`)?.querySelectorAll('.mark')[kept[1]]?.focus()
  }

  // --- hand ------------------------------------------------------------------------------------
  const share_at = event => {
    const box = axis.getBoundingClientRect()
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))
  }
  let from = null
  chart.addEventListener('pointerdown', event => {
    if (event.button !== 0 || event.target.closest('.mark, .name')) return
    from = share_at(event)
    chart.setPointerCapture(event.pointerId)
  })
  chart.addEventListener('pointermove', event => {
    if (from === null) { hover(event); return }
    const to = share_at(event), box = axis.getBoundingClientRect(), mine = chart.getBoundingClientRect()
    brush.hidden = Math.abs(to - from) * box.width < 5
    brush.style.left = `${box.left - mine.left + Math.min(from, to) * box.width}px`
    brush.style.width = `${Math.abs(to - from) * box.width}px`
    tip.hidden = true
  })
  chart.addEventListener('pointerup', event => {
    if (from === null) return
    const to = share_at(event), box = axis.getBoundingClientRect()
    const dragged = Math.abs(to - from) * box.width >= 5
    brush.hidden = true
    if (dragged) go(time(Math.min(from, to)), time(Math.max(from, to)))
    else take(event, to)
    from = null
  })
  chart.addEventListener('pointercancel', () => { from = null; brush.hidden = true })
  chart.addEventListener('pointerleave', () => { tip.hidden = true })
  chart.addEventListener('dblclick', event => { if (!event.target.closest('.mark, .name')) send('all') })
  // What lies under the pointer, or so near that it is meant.
  function under(event) {
    const number = [...lanes.children].findIndex(node => { const box = node.getBoundingClientRect(); return event.clientY >= box.top && event.clientY < box.bottom })
    if (number < 0) return {}
    const lane = model.lanes[number], at = share_at(event) * UNITS, reach = 7 / (axis.clientWidth || 700) * UNITS
    let best = null, far = reach
    for (const bar of lane.single ?? []) {
      const away = at < bar[0] ? bar[0] - at : at > bar[1] ? at - bar[1] : 0
      if (away <= far) { best = bar; far = away }
    }
    return {number, lane, bar: best, dense: (lane.dense ?? []).find(([a, b]) => at >= a && at <= b)}
  }
  function take(event, share) {
    const {lane, bar} = under(event)
    if (bar) send('choose', {recording: bar[3]})
    else if (lane?.dense) zoom(0.2, share)  // there are many here: come closer first
  }
  function hover(event) {
    const {lane, bar, dense} = under(event)
    chart.classList.toggle('taking', Boolean(bar || dense))
    tip.hidden = !(bar || dense) || event.target.closest('.mark')
    if (tip.hidden) return
    const when = new Date((time(share_at(event)) + model.view.offset) * 1000).toISOString()
    tip.textContent = `${lane.site}, ${when.slice(0, 10)} ${when.slice(11, 16)}${bar ? '' : ' · click to come closer'}`
    const mine = root.getBoundingClientRect()
    tip.style.left = `${Math.min(event.clientX - mine.left + 12, mine.width - 230)}px`
    tip.style.top = `${event.clientY - mine.top + 14}px`
  }
  chart.addEventListener('wheel', event => {
    if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return  // the lanes scroll
    event.preventDefault()
    if (event.ctrlKey || event.metaKey) zoom(event.deltaY > 0 ? 1.5 : 1 / 1.5, share_at(event))
    else pan(Math.sign(event.deltaX) * 0.1)
  }, {passive: false})
  chart.addEventListener('keydown', event => {
    const act = {ArrowLeft: () => pan(-0.25), ArrowRight: () => pan(0.25), '+': () => zoom(0.5), '=': () => zoom(0.5),
      '-': () => zoom(2), '0': () => send('all')}[event.key]
    if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { act(); event.preventDefault(); event.stopPropagation() }
  })

  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['facts', 'lanes', 'ticks', 'view', 'chosen', 'part', 'summary', 'says_empty'], soon)
  new ResizeObserver(soon).observe(axis)
  draw()
  return root
}
