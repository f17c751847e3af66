// What to look after, by kind, the worst first; files that could not be read; all recordings.

const SEVERE = {severe: ['diamond', '--no'], warning: ['triangle', '--unsure'], note: ['circle', '--faint']}
const NAMES = Object.keys(SEVERE)

function mark(severity, size = 12) {
  const [shape, colour] = SEVERE[severity]
  return s('svg', {viewBox: '0 0 16 16', width: size, height: size, class: 'sign', role: 'img', 'aria-label': severity,
    style: {fill: `var(${colour})`}}, s('path', {d: SHAPES[shape]}))
}
const lasting = seconds => seconds < 120 ? `${Number(seconds.toPrecision(3))} s` : seconds < 7200 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`

export function render({model, view}) {
  const send = sender(model, view)
  const TABS = [['findings', 'To look after'], ['left out', 'Left out'], ['recordings', 'All recordings']]
  const tabs = h('div', {class: 'tabs', role: 'tablist'})
  const acts = h('div', {class: 'acts'})
  const field = keepKeys(h('input', {type: 'search', placeholder: 'name, site, recorder or 2026-03-14', 'aria-label': 'Find recordings', maxlength: 200}))
  const finder = h('div', {class: 'finder', hidden: true}, field)
  const body = h('div', {class: 'body', role: 'tabpanel', tabindex: 0})
  const root = h('section', {class: 'card panel', 'aria-label': 'Findings'}, h('header', {}, tabs, acts), finder, body)
  const open = new Set()
  const folded = new Set()
  let typing = 0
  field.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(() => send('list', {text: field.value, first: 0}), 200) })

  function draw_tabs() {
    tabs.replaceChildren(...TABS.map(([name, label]) => h('button', {role: 'tab', class: 'tab', 'aria-selected': String(model.tab === name),
      onclick: () => send('tab', {name})}, label, h('span', {class: 'n'}, count(model.counts[name] ?? 0)))))
    const list = {findings: model.groups, 'left out': model.left_out, recordings: model.listing.rows ?? []}[model.tab]
    acts.replaceChildren(
      model.tab === 'left out' && list.length ? h('button', {class: 'bare', onclick: copy, title: 'Copy names and causes'}, 'Copy') : '',
      list.length ? h('button', {class: 'bare', onclick: () => send('table', {what: model.tab})}, icon('export'), 'CSV') : '')
  }
  async function copy(event) {
    const text = model.left_out.map(row => row.join('\t')).join('\n'), button = event.currentTarget
    try { await navigator.clipboard.writeText(text); button.textContent = 'Copied' } catch { select(text) }
  }
  // Where the browser keeps the clipboard to itself (no https), the text is there to be taken by hand.
  function select(text) {
    const area = keepKeys(h('textarea', {class: 'by-hand', rows: 6, 'aria-label': 'Names and causes'}, text))
    body.prepend(area); area.focus(); area.select()
  }
  const named = row => row.recording
    ? h('button', {class: 'link name', title: row.recording, 'aria-pressed': String(row.recording === model.chosen), onclick: () => send('choose', {name: row.recording})}, row.recording)
    : h('span', {class: 'name place'}, row.where || 'all')
  function group(g) {
    const key = `${g.severity} ${g.kind}`
    const shut = folded.has(key)
    const head = h('button', {class: 'head', 'aria-expanded': String(!shut), onclick: () => { shut ? folded.delete(key) : folded.add(key); draw() }},
      mark(g.severity), h('b', {}, g.kind), h('span', {class: 'many'}, count(g.count)), h('small', {}, g.sites), icon(shut ? 'right' : 'down', 12))
    if (shut) return h('section', {class: 'group'}, head)
    return h('section', {class: 'group'}, head, h('ul', {}, g.said.map(one => h('li', {}, h('p', {}, one.sentence),
      one.rows.map(row => h('div', {class: 'what'}, named(row),
        row.when && h('button', {class: 'link when', title: 'Show it on the timeline', onclick: () => send('go', {since: row.since, until: row.until})}, row.when),
        row.recording && row.where && !row.recording.includes(row.where) ? h('small', {}, row.where) : ''))))),
      g.more ? h('button', {class: 'link more', onclick: () => send('more', {severity: g.severity, kind: g.kind})}, `${count(g.more)} more`) : '')
  }
  function measure() {
    if (!model.unmeasured) return ''
    const n = many(model.unmeasured, 'recording')
    return h('div', {class: 'todo'}, h('p', {}, model.measuring ? `The sound of ${n} is still to be measured.`
      : `The sound of ${n} has not been measured: clipping, silence, dropouts and dead microphones would show. Gaps and clocks below are from names and headers alone.`),
      model.owner && !model.measuring ? h('button', {onclick: () => send('measure')}, 'Measure now') : '')
  }
  function findings() {
    const place = model.where ? h('div', {class: 'todo'}, h('p', {}, `At one place of ${model.where} only.`), h('button', {onclick: () => send('everywhere')}, 'Show all')) : ''
    if (!model.groups.length) {
      return [place, measure(), h('p', {class: 'empty'}, model.where ? 'Nothing was found here.' : !model.counts.recordings ? 'There are no recordings yet.'
        : model.unmeasured ? 'Names and headers show no gap, overlap or clock that jumps.'
          : 'Nothing to look after: no gaps, no clipping, no silence, no clock that jumps.')]
    }
    return [place, measure(), model.groups.map(group)]
  }
  function left_out() {
    if (!model.left_out.length) return [h('p', {class: 'empty'}, 'Every file that was found could be used.')]
    const hidden = (model.counts['left out'] ?? 0) - model.left_out.length
    return [h('table', {}, h('thead', {}, h('tr', {}, h('th', {}, 'File'), h('th', {}, 'Why it is not used, and what helps'))),
      h('tbody', {}, model.left_out.map(([name, cause]) => h('tr', {}, h('td', {class: 'file'}, name), h('td', {}, cause))))),
    hidden > 0 ? h('p', {class: 'quiet'}, `${count(hidden)} more are in the CSV file.`) : '']
  }
  function listing() {
    const {rows, first, total, text, page} = model.listing
    if (!rows) return []
    if (!total) return [h('p', {class: 'empty'}, text ? `No recording holds “${text}”.` : 'There are no recordings yet.')]
    return [h('table', {}, h('thead', {}, h('tr', {}, ['Recording', 'Site', 'Start', 'Length', 'Rate'].map(name => h('th', {}, name)))),
      h('tbody', {}, rows.map(row => h('tr', {class: row.recording === model.chosen ? 'at' : null},
        h('td', {class: 'file'}, row.worst >= 0 ? mark(NAMES[row.worst], 10) : '', named(row)), h('td', {}, row.site),
        h('td', {class: 'number'}, row.started || 'unknown'), h('td', {class: 'number'}, lasting(row.seconds)), h('td', {class: 'number'}, `${row.rate / 1000} kHz`))))),
    total > page ? h('div', {class: 'pages'}, h('button', {disabled: first === 0, onclick: () => send('list', {text, first: first - page})}, icon('left'), 'Before'),
      h('span', {class: 'quiet'}, `${count(first + 1)}–${count(Math.min(total, first + page))} of ${count(total)}`),
      h('button', {disabled: first + page >= total, onclick: () => send('list', {text, first: first + page})}, 'After', icon('right'))) : '']
  }
  let at = null
  function draw() {
    draw_tabs()
    finder.hidden = model.tab !== 'recordings'
    const top = at === model.tab ? body.scrollTop : 0
    at = model.tab
    body.replaceChildren(...[model.tab === 'findings' ? findings() : model.tab === 'left out' ? left_out() : listing()].flat(Infinity).filter(Boolean))
    body.scrollTop = top
  }
  model.on('msg:custom', message => { if (message.kind === 'file') keepFile(root, message) })
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['tab', 'counts', 'groups', 'where', 'unmeasured', 'measuring', 'left_out', 'listing', 'chosen'], soon)
  draw()
  return root
}
